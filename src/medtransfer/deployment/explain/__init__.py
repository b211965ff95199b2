"""Explanations: maps of the evidence for a class, and how well they match masks."""
