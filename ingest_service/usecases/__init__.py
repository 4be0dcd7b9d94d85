"""Ingesting events, and monitoring the backlog of unscored events."""
