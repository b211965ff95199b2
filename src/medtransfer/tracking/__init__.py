"""MLflow tracking, which no other wing knows of and which cannot fail or stall a stage."""
