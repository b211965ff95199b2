"""What frozen layers compute for an image view is computed once, kept, and shared by every variant."""
