"""Files of events, from bytes to records: what the formats, encodings and archives of the world have in common."""
