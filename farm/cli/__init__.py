"""The `farm` command: one file a group, heavy imports inside the commands."""
