"""Tests of `leadscore doctor`."""
