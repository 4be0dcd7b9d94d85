"""The Python client against a real system, and the wheels in empty environments."""
