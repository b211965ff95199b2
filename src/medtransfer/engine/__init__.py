"""Where stages run, and their estimated costs."""
