"""The gRPC face of the farm: convert, call, convert."""
