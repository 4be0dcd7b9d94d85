"""The gateway: HTTP in front of the ingest service."""
