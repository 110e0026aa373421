"""Messages and services of the farm's wire, generated from `protos/`.

Only `pool`, `services` and `typed_fields` are written by hand. Everything named `*_pb2` comes from
`python protos/generate.py`.
"""
