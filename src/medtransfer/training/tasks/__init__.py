"""What a network learns: the part of a task that training asks for, behind one interface."""

from medtransfer.training.tasks.classification import Classification
from medtransfer.training.tasks.segmentation import Segmentation
from medtransfer.training.tasks.task import Task

__all__ = ["TASKS", "Task"]

TASKS: dict[str, Task] = {"classification": Classification(), "segmentation": Segmentation()}
