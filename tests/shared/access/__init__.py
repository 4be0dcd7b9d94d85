"""Tests of shared.access."""
