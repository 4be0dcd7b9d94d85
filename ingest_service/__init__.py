"""The way in: events of leads.

Owns: the insertion into the inbox `events`.
Promises: an acknowledged event is on a majority of the replica set, once, with the payload that was sent; ids make
every retry safe.
Never: scores, waits for Redis, or reads what others own.
"""
