"""Other inference servers, each in a virtual environment of its own, over the same ONNX files.

The modules here run in those environments: they import nothing of the farm but the messages
of the protocol, and only what their requirements name.
"""
