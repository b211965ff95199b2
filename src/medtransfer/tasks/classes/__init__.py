"""Labels of images: predictions, metrics, baselines and figures of tasks with classes."""
