"""API keys, and the log of what callers have decided."""
