"""Keys and audit records, as values and errors."""
