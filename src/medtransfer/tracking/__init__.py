"""MLflow, and nothing else knows that it exists."""
