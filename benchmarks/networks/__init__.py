"""Networks of known sizes with seeded random weights, written when they are needed.

Speed does not depend on the weights' values; their scale keeps activations finite and away
from subnormal numbers, which would be slow. Each builder writes version 1 of its model into
a repository in Triton's layout; every input and output has one row an item on axis 0.
"""
