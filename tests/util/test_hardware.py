"""What a stage is said to have used."""

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
told = keep_freed_memory()
faults()
print(told, before, faults())
"""
"""Counts the pages that the system hands out for arrays of 8 and 16 MB, before and after."""


def test_memory_that_was_given_back_counts() -> None:
    block = np.ones(40_000_000)
    del block
    assert peak_memory_mb() >= 320


def test_the_memory_of_the_parent_does_not_count() -> None:
    block = np.ones(40_000_000)
    command = [sys.executable, "-c", "from medtransfer.util.hardware import peak_memory_mb; print(peak_memory_mb())"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert 5 < float(done.stdout) < block.nbytes / 1e6


def test_arrays_take_the_memory_that_others_left() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    told, before, after = done.stdout.split()
    if told == "False":
        pytest.skip("the C library is not glibc")
    assert int(after) < int(before) / 10
