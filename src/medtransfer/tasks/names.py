"""The metrics of both tasks, by name."""

CLASS_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "roc_auc",
    "pr_auc",
    "mcc",
    "kappa",
    "log_loss",
    "brier",
    "ece",
)
BINARY_METRICS = ("sensitivity", "specificity", "precision_positive", "f1_positive")
"""Of two classes the second, in alphabetical order, is the positive one."""
MASK_METRICS = ("dice", "iou", "precision", "recall", "hd95", "assd")
METRICS = (*CLASS_METRICS, *BINARY_METRICS, *MASK_METRICS)
LOWER_IS_BETTER = frozenset(("log_loss", "brier", "ece", "hd95", "assd"))
LENGTHS = frozenset(("hd95", "assd"))
"""Metrics that are no shares but lengths, in the unit of the prepared set: `px` of the original image, or `mm`."""


def metrics_of(task: str) -> tuple[str, ...]:
    """Name the metrics of a task."""
    return MASK_METRICS if task == "segmentation" else (*CLASS_METRICS, *BINARY_METRICS)
