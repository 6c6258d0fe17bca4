"""Which part of the machines each tenant may use: pools, allocations, the waiting list."""
