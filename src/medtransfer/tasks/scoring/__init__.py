"""What predictions are worth: the part of a task that evaluation asks for, behind one interface."""

from medtransfer.tasks.scoring.classification import Classification
from medtransfer.tasks.scoring.scoring import Scoring
from medtransfer.tasks.scoring.segmentation import Segmentation

__all__ = ["SCORINGS", "Scoring"]

SCORINGS: dict[str, Scoring] = {"classification": Classification(), "segmentation": Segmentation()}
