"""The shared mechanism."""
