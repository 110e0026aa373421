"""NVIDIA PyTriton: Triton's C++ front end over a Python backend."""
