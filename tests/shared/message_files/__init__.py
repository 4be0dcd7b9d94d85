"""Tests of shared.message_files."""
