"""Runs the scheduling machine in real time and feeds it what happens."""
