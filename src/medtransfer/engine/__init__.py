"""Where stages run, and what they will cost."""
