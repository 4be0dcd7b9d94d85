"""Simulations: how another model would have scored the leads."""
