"""MLflow tracking, which no other package imports and which cannot fail or stall a stage."""
