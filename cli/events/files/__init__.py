"""Files of events, from bytes to records, whatever their format, encoding and compression are."""
