"""Images: decoding and packing."""
