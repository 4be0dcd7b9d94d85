"""Tests of the intelligence service."""
