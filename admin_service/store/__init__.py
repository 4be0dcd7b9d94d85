"""MongoDB: the keys, the audit log, and their indexes."""
