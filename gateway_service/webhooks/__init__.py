"""Webhooks of others: which there are, how they are signed, and what they mean."""
