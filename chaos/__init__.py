"""The fault harness: breaks a running system on purpose, and checks that the invariants still hold.

Owns: the load, the faults, the journal of what clients observed, and the checker of the invariants I1 to I18 of
`docs/reliability.md`.
Promises: the checker shares no code with what it checks. It reads MongoDB with its own queries, computes scores with
its own fold, trusts no index and no service, and names the id that violates an invariant.
Never: imports code of the services into the checker (`test_checker_limits.py` enforces this), or skips data that the
checker does not understand (it raises `Unsupported`).
"""
