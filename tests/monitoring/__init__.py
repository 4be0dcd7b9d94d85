"""Tests of what deploy/monitoring holds."""
