"""Health of the model: whether the leads of today are those that it was made from."""
