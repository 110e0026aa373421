"""The farm's vocabulary: frozen types, the error tree and the protocols between layers.

Imports nothing but the standard library, so every other package may import it.
"""
