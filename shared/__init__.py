"""Mechanism without business: what two services or more need, and nothing that knows what a lead is."""
