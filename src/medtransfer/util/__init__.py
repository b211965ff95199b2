"""Tools that every wing uses and that know nothing of the pipeline."""
