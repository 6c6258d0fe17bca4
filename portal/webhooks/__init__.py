"""Where a workspace's own servers are told what happens, and how the deliveries fare."""
