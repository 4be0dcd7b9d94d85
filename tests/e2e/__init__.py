"""The whole system, as processes."""
