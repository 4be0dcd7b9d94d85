"""What the RPCs and `bootstrap` do."""
