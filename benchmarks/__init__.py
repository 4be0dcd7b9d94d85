"""Measures the whole system, and next to each figure its floor from the same run. `make bench` runs it."""
