"""What runs on a Pi: model store, ONNX Runtime sessions, probes.

Knows nothing of Ray or gRPC; `farm.cluster` wraps `NodeService` in an actor.
"""
