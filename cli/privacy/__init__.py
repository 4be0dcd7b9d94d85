"""Forgetting persons, telling them what is known, and removing old details."""
