"""The prepared set: one table, one packed array of pixels, and what an audit found in them."""
