"""Numbers of images: predictions, intervals, metrics, baselines and figures of tasks that predict one."""
