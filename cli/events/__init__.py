"""Events: send them."""
