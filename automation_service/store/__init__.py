"""MongoDB ⇄ domain: the collections that this service owns, and the consumer's side of `score_changes`."""
