"""Events: read them from files and send them."""
