"""Data: from a published set to one table and one packed array."""
