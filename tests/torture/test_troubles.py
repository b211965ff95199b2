"""Whatever happens to a run, one more command gives the files of an undisturbed one, and nothing else is left.

`MEDTRANSFER_TORTURE` is the number of trials of each kind, `MEDTRANSFER_TORTURE_SEED` the seed of the first; a failure
names its seed. `benchmarks/torture.py` runs them in numbers.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .troubles import KINDS, Studies

COUNT = int(os.environ.get("MEDTRANSFER_TORTURE", "2"))
FIRST = int(os.environ.get("MEDTRANSFER_TORTURE_SEED", "0"))
needs_proc = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc to find processes")


QUICK = {"kill of `medtransfer repro`": 1, "spoiled file": 1, "kill of a coordinator, local": 0}
"""Trials that are cheap: their seeds. The whole suite is 10 times as large."""


@needs_proc
@pytest.mark.parametrize("name", QUICK)
def test_one_more_command_restores_a_run(finished_studies: Studies, tmp_path: Path, name: str) -> None:
    finished_studies.trial(name, tmp_path / "trial", QUICK[name])


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
@pytest.mark.parametrize("name", KINDS)
def test_one_more_command_restores_everything(studies: Studies, tmp_path: Path, name: str, seed: int) -> None:
    if KINDS[name].mounts and os.geteuid() != 0:
        pytest.skip("only root may mount a full disk")
    if name.endswith("ray"):
        pytest.importorskip("ray")
    studies.trial(name, tmp_path, seed)
