"""`leadscore doctor`: checks everything that a system needs, and says what to do about what it finds."""
