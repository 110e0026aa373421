"""Benchmarks of the farm: ratios measured in one run, never timed tests."""
