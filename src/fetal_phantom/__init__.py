"""Simulated B-mode ultrasound of fetal heads: a data set with known truth, and scenes for a short pretraining."""

from fetal_phantom.anatomy import CLASSES
from fetal_phantom.dataset import write_phantom
from fetal_phantom.pretraining import pretraining_set

__all__ = ["CLASSES", "pretraining_set", "write_phantom"]
