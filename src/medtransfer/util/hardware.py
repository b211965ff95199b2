"""The resources of this machine, and their use by this process."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import resource
import sys
from functools import cache
from pathlib import Path


def cpu_count() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next array; return False if it has no such setting.

    By default glibc returns the memory of arrays of some megabytes to the system at once, which clears every page
    before it hands it out again: a third of the time of code that makes many such arrays. This keeps up to 256 MB at
    the end of the heap; arrays of 32 MB and more, the most that glibc allows, are returned as before. The numbers of
    the settings are those of glibc's malloc.h.
    """
    trim_threshold, mmap_threshold = -1, -3
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    return change is not None and all([change(mmap_threshold, 32 * 2**20), change(trim_threshold, 256 * 2**20)])


def collect_old_garbage_seldom() -> None:
    """Let Python search its oldest objects for garbage a hundred times less often than by default.

    Imports create half a million objects, all of them in use, and trigger the search again and again: a fifth of the
    time of a short stage.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1000)


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB (10^6 bytes).

    On Linux this is VmHWM, because `ru_maxrss` starts with the value of the parent process.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))):
        return int(found[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@cache
def processor() -> str:
    """Return the model name of the CPU."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.is_file() else ""
    found = re.search(r"^model name\s*:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
