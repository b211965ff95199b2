"""The report: one HTML page about a comparison, and its figures."""
