"""What callers and workers do: manage rules, test rules and retry deliveries, evaluate rules."""
