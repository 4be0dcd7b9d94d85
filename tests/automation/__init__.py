"""Tests of the automation service."""
