"""A small study that loads, ways to change one thing in it, and the problems that a check then finds."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ruamel.yaml import YAML

from medtransfer.study import check_study
from medtransfer.util.errors import UserError

STUDY = """\
# a small study
study: {name: small, title: A small study}  # its name
data:
  source: folder
  folder: somewhere
  layout: class_folders
  group: null
  image_size: 32
  resize: stretch
  split: {method: random}
  leakage: fail
augmentation:
  none: {transforms: []}
  cutmix:
    transforms: []
    mix: {method: cutmix}
backbones:
  # no weights: trained from scratch
  cnn_small: {weights: none}
  resnet18: {weights: DEFAULT}
strategies:
  scratch: {init: random, train: all, epochs: 3}
  frozen: {train: head, lr: 1.0e-4, schedule: cosine}
  prototypes: {head: prototypes}
training: {seeds: [0, 1]}
variants:
  from_scratch: {backbone: cnn_small, strategy: scratch, augmentation: none}
  head_only: {backbone: resnet18, strategy: frozen, augmentation: cutmix}
comparison: {metric: accuracy}
explain: {variants: []}
"""
LINE = {"backbone": "resnet18", "strategy": "frozen", "augmentation": "none"}
"""A line of `variants`."""


def params_with(changes: dict[str, Any] | None = None, without: str | None = None) -> dict[str, Any]:
    """Return the values of the small study with some of them changed, or one removed, by their dotted keys."""
    values = YAML(typ="safe", pure=True).load(STUDY)

    def section(path: list[str]) -> dict[str, Any]:
        found = values
        for part in path:
            found = found[part]
        return found

    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        section(path)[last] = deepcopy(value)
    if without is not None:
        *path, last = without.split(".")
        del section(path)[last]
    return values


def problems_of(raw: Any, where: str = "params.yaml") -> list[str]:
    """Return the error lines of values that are not a valid study."""
    with pytest.raises(UserError) as raised:
        check_study(raw, where)
    assert all("\n" not in problem and problem.startswith(f"{where}: ") for problem in raised.value.problems)
    return raised.value.problems
