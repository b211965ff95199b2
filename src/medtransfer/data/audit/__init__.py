"""The audit of a set: duplicates, leakage and shortcuts."""
