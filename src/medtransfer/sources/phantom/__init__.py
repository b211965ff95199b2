"""Simulated B-mode ultrasound of fetal heads: the embedded data set, and scenes for a short pretraining."""

from medtransfer.sources.phantom.anatomy import CLASSES
from medtransfer.sources.phantom.dataset import write_phantom
from medtransfer.sources.phantom.pretraining import pretraining_set

__all__ = ["CLASSES", "pretraining_set", "write_phantom"]
