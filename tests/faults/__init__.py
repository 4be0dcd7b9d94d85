"""Faults under load, and what must hold whatever breaks: a short series in `make test`, a long one in `make chaos`."""
