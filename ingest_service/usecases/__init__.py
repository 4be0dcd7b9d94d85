"""What the service does: take events, and watch over what waits to be scored."""
