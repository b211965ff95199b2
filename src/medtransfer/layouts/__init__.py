"""How a published set is laid out on disk: each reader gives one row an image."""
