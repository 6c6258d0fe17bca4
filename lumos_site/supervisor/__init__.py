"""Starts, watches and stops the processes of one machine; owns no business and imports no Django.

`./lumos up` and `./lumos serve` come here. What runs is declared in `plan`, how in `engine`, one process is `process`,
readiness is `probes`, what happens when this process is killed itself is `keeper`.
"""
