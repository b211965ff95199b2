"""Backbones by name, their weights, and the network that a strategy makes of them."""
