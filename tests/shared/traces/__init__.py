"""Tests of shared.traces."""
