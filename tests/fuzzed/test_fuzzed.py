"""Hostile and damaged files of all kinds are read or refused in one line; `benchmarks/fuzz.py` reads thousands."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

import pytest

from .trials import trial

COUNT, PARTS = 240, 4


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", ["weights", "archives", "tables", "dicoms"])
def test_a_file_is_read_or_refused_in_one_line(kind: str, part: int) -> None:
    if kind == "dicoms" and find_spec("pydicom") is None:
        pytest.skip("needs pydicom")
    module = importlib.import_module(f"fuzzed.{kind}")
    seeds = [f"quick/{kind}/{number}" for number in range(part, COUNT, PARTS)]
    found = {seed: trial(module, seed).what for seed in seeds}
    assert {seed: what for seed, what in found.items() if what not in ("read", "refused")} == {}
    assert "read" in found.values()
    assert "refused" in found.values()
