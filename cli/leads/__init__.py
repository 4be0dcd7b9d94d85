"""Leads: list, show, explain, watch and correct them."""
