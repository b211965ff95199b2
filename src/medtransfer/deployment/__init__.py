"""Trained variants after the comparison: predictions for new images, explanations, export."""
