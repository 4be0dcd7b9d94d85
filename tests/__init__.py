"""The tests, by service, then across them: architecture, e2e."""
