"""Simulated B-mode ultrasound of fetal heads: a data set with known truth."""

from fetal_phantom.anatomy import CLASSES
from fetal_phantom.dataset import write_phantom

__all__ = ["CLASSES", "write_phantom"]
