"""The contracts between services: rows that any version of the code must read."""
