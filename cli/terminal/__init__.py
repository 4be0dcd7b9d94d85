"""What all commands share: connections, options, output."""
