"""The rows that one service writes and another reads, with their versions.

A new optional field does not change the version: readers ignore what they do not know. Anything else does (a field that
is removed, renamed, required, or means something new). Readers are then updated before writers; a row that is newer
than its reader stays pending until the reader is updated.
"""
