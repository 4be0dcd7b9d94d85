"""Accepts events of leads and stores them for scoring.

Owns: inserts into the inbox `events`.
Promises: an acknowledged event is stored on a majority of the replica set, once, exactly as it was sent. Calls can be
retried safely with the same event ids.
Never: computes scores, waits for Redis, or reads collections of other services.
"""
