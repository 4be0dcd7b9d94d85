"""Tests of the chaos harness, and a short series of it."""
