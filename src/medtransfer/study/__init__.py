"""Typed parameters of a study: `params.yaml` in, checked variants out."""

from medtransfer.study.loading import BASELINES, Study, load_study, near, read_yaml
from medtransfer.study.schema import (
    SCHEMA_VERSION,
    Backbone,
    Comparison,
    Data,
    Group,
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
    "load_study",
    "near",
    "read_yaml",
]
