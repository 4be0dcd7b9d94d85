"""Manages API keys, and lists what callers have decided.

Owns: the collection `api_keys`, which every server reads, and the indexes of `audit_log`, into which every server
inserts.
Promises: the text of a key is returned once, when the key is made, and nothing stored gives it back. A revoked key is
never live again.
Never: changes or removes an audit record, scores anything, or calls another service.
"""
