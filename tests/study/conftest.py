"""A small study that loads, and a way to change one thing in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML

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
  # no weights: it learns from nothing
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
"""


@pytest.fixture(scope="session")
def study_text() -> str:
    return STUDY


@pytest.fixture
def params_with() -> Callable[..., dict[str, Any]]:
    """Give a function that makes the small study's values with some of them changed, by their dotted keys."""

    def make(changes: dict[str, Any] | None = None, without: str | None = None) -> dict[str, Any]:
        values = YAML(typ="safe", pure=True).load(STUDY)
        for key, value in (changes or {}).items():
            *path, last = key.split(".")
            section(values, path)[last] = value
        if without is not None:
            *path, last = without.split(".")
            del section(values, path)[last]
        return values

    def section(values: dict[str, Any], path: list[str]) -> dict[str, Any]:
        for part in path:
            values = values[part]
        return values

    return make
