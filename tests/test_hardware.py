"""What a stage is said to have used."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from medtransfer.hardware import peak_memory_mb


def test_memory_that_was_given_back_counts() -> None:
    block = np.ones(40_000_000)
    del block
    assert peak_memory_mb() >= 320


def test_the_memory_of_the_parent_does_not_count() -> None:
    block = np.ones(40_000_000)
    command = [sys.executable, "-c", "from medtransfer.hardware import peak_memory_mb; print(peak_memory_mb())"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert 5 < float(done.stdout) < block.nbytes / 1e6
