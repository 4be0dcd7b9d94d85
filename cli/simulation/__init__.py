"""Simulations: what another model would have done."""
