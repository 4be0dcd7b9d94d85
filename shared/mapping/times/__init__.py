"""Event times: RFC 3339 and its usual variants, numbers since 1970, or a declared format; anything else is refused."""
