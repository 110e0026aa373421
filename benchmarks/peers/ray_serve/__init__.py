"""Ray Serve behind its gRPC proxy, batching with `@serve.batch`."""
