"""The limits of event times."""
