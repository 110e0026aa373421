"""The model repository: what lies in it, which versions may be served, and their bytes.

The layout is Triton's::

    <repository>/<model>/config.pbtxt                            optional
    <repository>/<model>/<label_filename>                        optional
    <repository>/<model>/warmup/<input_data_file>                optional
    <repository>/<model>/<version>/model.onnx
    <repository>/<model>/<version>/golden/<cpu-class|any>/*.npz  optional

`repository.Repository` is the way in. `layout` lists a model, `artifacts` reads a version,
`onnx_header` its ONNX file, and `model_config` the config, whose parts have a file each.
`digests` says what a version's digest covers, `blobs` hands out the bytes behind digests.
`overrides` and `desired_state` keep what operators loaded by hand.
"""
