"""What the task of several findings is made of."""
