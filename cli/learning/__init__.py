"""Learning: a model whose points are fitted to what became of the leads."""
