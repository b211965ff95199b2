"""`medtransfer repro`: what `dvc repro` does, with several stages at once."""
