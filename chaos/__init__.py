"""The fault harness: breaks the running system on purpose, and checks what must hold whatever breaks.

Owns: the load, the faults, the journal of what the outside saw, and the checker of the invariants I1 to I17 of
`docs/reliability.md`.
Promises: a checker that shares no code with what it checks. It reads MongoDB with queries of its own, folds with a
reference of its own, trusts no index and no service, and says which id breaks which invariant.
Never: lets a fault of the services blind the checker (`test_checker.py` holds it to its imports), or passes over what
it does not understand (it raises `Unsupported`).
"""
