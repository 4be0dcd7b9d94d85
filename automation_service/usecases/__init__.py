"""What the service does: one module for each thing that someone wants of it."""
