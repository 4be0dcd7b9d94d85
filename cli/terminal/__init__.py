"""Shared by all commands: connections, options, output."""
