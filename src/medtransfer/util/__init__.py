"""Tools that every package uses, which know nothing of the pipeline."""
