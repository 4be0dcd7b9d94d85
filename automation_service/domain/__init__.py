"""Which rules are valid, when they fire, and what they deliver. Pure functions and frozen values."""
