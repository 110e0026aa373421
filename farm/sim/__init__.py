"""The digital twin: virtual time, simulated boards and workloads around the unchanged scheduler."""
