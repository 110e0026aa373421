"""A model's inputs from files: arrays, JSON and pictures."""
