"""The section of parameters that tiny studies of the phantom have in common."""

from __future__ import annotations

DATA = """\
data:
  source: phantom
  phantom: {patients: 40, frames: 2, size: 48, difficulty: 0.0, split_by: patient}
  kaggle: null
  folder: data/incoming
  layout: one_hot_csv
  masks: MASKS
  group: {pattern: '^(patient[0-9]+)_'}
  image_size: 32
  resize: stretch
  split: {method: published}
  leakage: fail
"""


def tiny_data(masks: str) -> str:
    """Return the section `data` as YAML, with `masks` filled in."""
    return DATA.replace("MASKS", masks)
