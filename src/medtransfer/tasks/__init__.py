"""Tasks, a file each: what a network learns, how its answers are scored, and how they are shown."""

from medtransfer.tasks.task import Task
from medtransfer.util.registry import Registry

__all__ = ["TASKS", "Task"]

TASKS: Registry[Task] = Registry("task", package="medtransfer.tasks")
