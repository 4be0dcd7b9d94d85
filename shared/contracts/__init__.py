"""The rows that one service writes and another reads, with their versions.

A new optional field does not change the version, because readers ignore unknown fields. Any other change does: a field
that is removed, renamed, made required, or given a new meaning. Update readers before writers; a row that is newer than
its reader stays pending until the reader is updated.
"""
