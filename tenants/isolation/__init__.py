"""The isolation report: live checks of the four fences around one tenant, with what was tried and what came back.

`registry` holds the checks, which rooms above add to; `data_fence`, `network_fence` and `storage_fence` are those of
this room; `reporting` runs them all, and keeps what they found.
"""
