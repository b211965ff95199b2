"""Typed parameters of a study: `params.yaml` in, checked variants out."""

from medtransfer.study.data import Data, Group, KaggleSource, Layout, PhantomSource, Split
from medtransfer.study.explain import METHODS, WITH_GRADIENTS, Explain
from medtransfer.study.loading import BASELINES, Study, check_study, load_study, near
from medtransfer.study.masks import MaskFiles, Spacing
from medtransfer.study.schema import (
    SCHEMA_VERSION,
    Backbone,
    Comparison,
    Mix,
    Policy,
    Pretraining,
    Reference,
    Training,
    UNet,
)
from medtransfer.study.strategy import Loss, Schedule, Strategy
from medtransfer.study.tasks import RULES
from medtransfer.study.variant import Variant

__all__ = [
    "BASELINES",
    "METHODS",
    "RULES",
    "SCHEMA_VERSION",
    "WITH_GRADIENTS",
    "Backbone",
    "Comparison",
    "Data",
    "Explain",
    "Group",
    "KaggleSource",
    "Layout",
    "Loss",
    "MaskFiles",
    "Mix",
    "PhantomSource",
    "Policy",
    "Pretraining",
    "Reference",
    "Schedule",
    "Spacing",
    "Split",
    "Strategy",
    "Study",
    "Training",
    "UNet",
    "Variant",
    "check_study",
    "load_study",
    "near",
]
