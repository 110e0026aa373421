"""Where snapshots and events come from: a gateway, a recording, the simulator."""
