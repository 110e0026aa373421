"""The operator's screen, `farm top`."""
