"""Which rules are well-formed, when they fire, and what that leaves. Pure: the standard library only."""
