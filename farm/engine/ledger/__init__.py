"""The ledger on disk: what every batch took, sums by the minute, incidents; in SQLite."""
