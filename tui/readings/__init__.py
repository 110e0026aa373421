"""What the screen shows, reckoned from snapshots: pure, without a screen or a clock."""
