"""What predictions are worth: the part of a task that evaluation asks for, behind one interface."""

from medtransfer.evaluation.tasks.classification import Classification
from medtransfer.evaluation.tasks.scoring import Scoring
from medtransfer.evaluation.tasks.segmentation import Segmentation

__all__ = ["SCORINGS", "Scoring"]

SCORINGS: dict[str, Scoring] = {"classification": Classification(), "segmentation": Segmentation()}
