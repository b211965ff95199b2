"""What is to be predicted of an image, one file per kind: how its labels are read, checked, encoded and stratified."""

from medtransfer.data.targets.target import Encoded, Target
from medtransfer.util.registry import Registry

__all__ = ["TARGETS", "Encoded", "Target"]

TARGETS: Registry[Target] = Registry("target", package="medtransfer.data.targets")
"""By the name that a task gives its target."""
