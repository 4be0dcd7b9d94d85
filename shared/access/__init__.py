"""Who may call what: API keys, roles, limits and the audit log."""
