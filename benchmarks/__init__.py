"""Measurements of the whole system beside their floors, taken in turn in the same run. `make bench` runs them."""
