"""What several of the farm's files may say: farm.yaml, a service's settings, an inventory.

Sections are read and checked by pydantic, and give the pure objects that the rest works with.
"""
