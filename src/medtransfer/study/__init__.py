"""Typed parameters of a study: `params.yaml` in, checked variants out."""

from medtransfer.study.loading import BASELINES, Study, check_study, load_study, near
from medtransfer.study.schema import (
    SCHEMA_VERSION,
    Backbone,
    Comparison,
    Data,
    Group,
    KaggleSource,
    Layout,
    Loss,
    Mix,
    PhantomSource,
    Policy,
    Pretraining,
    Reference,
    Schedule,
    Split,
    Strategy,
    Training,
)
from medtransfer.study.variant import Variant

__all__ = [
    "BASELINES",
    "SCHEMA_VERSION",
    "Backbone",
    "Comparison",
    "Data",
    "Group",
    "KaggleSource",
    "Layout",
    "Loss",
    "Mix",
    "PhantomSource",
    "Policy",
    "Pretraining",
    "Reference",
    "Schedule",
    "Split",
    "Strategy",
    "Study",
    "Training",
    "Variant",
    "check_study",
    "load_study",
    "near",
]
