"""The metrics of a classification, by name."""

METRICS = (
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
