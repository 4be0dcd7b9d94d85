"""Accepts events of leads and stores them for scoring.

Owns: inserts into the inbox `events`; `api_key_usage`, the events that keys with a daily limit have sent.
Promises: an acknowledged event is stored on a majority of the replica set, once. It is stored as it was sent, except
that clocks are corrected and long properties shortened, as `docs/events.md` says. Calls can be retried safely with the
same event ids.
Never: computes scores, waits for Redis, or reads collections of other services.
"""
