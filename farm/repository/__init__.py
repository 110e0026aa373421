"""The model repository: what lies in it, which versions may be served, and their bytes.

The layout is Triton's::

    <repository>/<model>/config.pbtxt                            optional
    <repository>/<model>/<version>/model.onnx
    <repository>/<model>/<version>/golden/<cpu-class|any>/*.npz  optional

`layout.scan` lists a repository, `model_config` reads a config, `digests` says what a
version's digest covers, `blobs` hands out the bytes behind the digests of a listing.
"""
