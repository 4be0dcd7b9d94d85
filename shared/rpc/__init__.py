"""gRPC servers as every service runs them: admission, errors, health, pages, read masks."""
