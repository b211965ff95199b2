"""Typed parameters of a study: `params.yaml` in, checked variants out."""

from medtransfer.study.data import Data, External, KaggleSource, Layout, PhantomSource, Split
from medtransfer.study.loading import BASELINES, Study, check_study, item_of, load_study
from medtransfer.study.masks import MaskFiles, Spacing
from medtransfer.study.schema import (
    SCHEMA_VERSION,
    Backbone,
    Comparison,
    Explain,
    Mix,
    Policy,
    Reference,
    Training,
    UNet,
)
from medtransfer.study.selection import Files, Group, JoinedTable, Labels
from medtransfer.study.strategy import Features, Lora, Loss, Prompts, Schedule, Strategy
from medtransfer.study.variant import Variant

__all__ = [
    "BASELINES",
    "SCHEMA_VERSION",
    "Backbone",
    "Comparison",
    "Data",
    "Explain",
    "External",
    "Features",
    "Files",
    "Group",
    "JoinedTable",
    "KaggleSource",
    "Labels",
    "Layout",
    "Lora",
    "Loss",
    "MaskFiles",
    "Mix",
    "PhantomSource",
    "Policy",
    "Prompts",
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
    "item_of",
    "load_study",
]
