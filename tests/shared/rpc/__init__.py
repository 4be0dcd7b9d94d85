"""Tests of shared.rpc."""
