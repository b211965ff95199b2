"""Masks of images: predictions, metrics, baselines and figures of tasks with one class per pixel."""
