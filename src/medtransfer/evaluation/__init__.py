"""What a variant's predictions are worth, run by run."""
