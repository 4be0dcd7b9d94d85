"""Exports: leads, histories and executions as files."""
