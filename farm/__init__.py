"""A shelf of Raspberry Pis as one inference service.

Importing this package loads nothing else: a node, a laptop and a gateway each import
only the sub-packages they need.
"""

__version__ = "0.1.0"
