"""The hash chains over the log: one for each tenant and one for the platform.

An entry is written by whoever changes something, in the transaction of the change. `sealing` ties committed entries
to their chain, in the order in which they became visible, and signs each chain's head. `verification` finds the first
link that does not hold, `export` writes a chain for somebody else to check, `witness` keeps signed heads outside of
the database. `links` says what is hashed; whoever wants to check a chain without Lumos needs that file only.
"""
