"""Tenants' workers as processes of this machine.

The control side writes orders to Redis (`backend`), one agent per machine carries them out (`agent`, on
`reconcile`, `worker` and `crashes`) and writes back what it sees; `store` is the shape of both. `inside` is the
part that runs in the worker itself. No module here but `inside` may import Django or Celery: the agent is small.
"""
