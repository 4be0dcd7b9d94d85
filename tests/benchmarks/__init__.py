"""The parts of `make bench` that can be tested without measuring."""
