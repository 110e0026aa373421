"""`benchmarks` is not among the installed packages; its tests take it from the checkout."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3]))
