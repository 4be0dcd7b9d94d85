"""Files of events, from bytes to records."""
