"""What a network learns: the part of a task that training asks for, behind one interface."""

from medtransfer.tasks.training.classification import Classification
from medtransfer.tasks.training.segmentation import Segmentation
from medtransfer.training.task import Task

__all__ = ["TASKS", "Task"]

TASKS: dict[str, Task] = {"classification": Classification(), "segmentation": Segmentation()}
