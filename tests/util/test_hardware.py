"""Peak memory, and memory that the C library keeps."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from medtransfer.util.hardware import peak_memory_mb

FAULTS = """
import resource
import numpy as np
from medtransfer.util.hardware import keep_freed_memory

def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        pair = np.ones(1_000_000), np.ones(2_000_000)
        del pair
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

before = faults()
kept = keep_freed_memory()
faults()
print(kept, before, faults())
"""
"""Count the page faults of arrays of 8 and 16 MB, before and after."""


def test_freed_memory_counts() -> None:
    block = np.ones(40_000_000)
    del block
    assert peak_memory_mb() >= 320


def test_the_memory_of_the_parent_does_not_count() -> None:
    block = np.ones(40_000_000)
    command = [sys.executable, "-c", "from medtransfer.util.hardware import peak_memory_mb; print(peak_memory_mb())"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert 5 < float(done.stdout) < block.nbytes / 1e6


def test_arrays_reuse_freed_memory() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    kept, before, after = done.stdout.split()
    if kept == "False":
        pytest.skip("the C library is not glibc")
    assert int(after) < int(before) / 10
