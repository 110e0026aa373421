"""Seldon MLServer, inference in its own process."""
