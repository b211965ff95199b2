"""What this machine has, and what a stage used of it."""

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
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_freed_memory() -> bool:
    """Have the C library keep what arrays of some megabytes leave behind; False where it can't be told.

    glibc gives such memory back to the system at once, and the system hands out every page of the next array anew, and
    empty: a third of the time of what makes many of them. Kept are up to 256 MB at the end of the heap; arrays of 32 MB
    and more, the largest that glibc itself ever keeps, go back as before. Numbers of the settings: malloc.h of glibc.
    """
    trim_threshold, mmap_threshold = -1, -3
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    return change is not None and all([change(mmap_threshold, 32 * 2**20), change(trim_threshold, 256 * 2**20)])


def collect_old_garbage_seldom() -> None:
    """Have Python look through its oldest objects for garbage a hundred times less often than it does by itself.

    While libraries are imported it does so again and again, and finds half a million objects that all are in use: a
    fifth of the time of a short stage. Afterwards they are so many that it hardly ever does in any case.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1000)


def peak_memory_mb() -> float:
    """Give the most resident memory this process has had, in MB (10^6 bytes).

    Linux's own count of this process is taken where there is one: `ru_maxrss` begins with what the parent had.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))):
        return int(found[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@cache
def processor() -> str:
    """Name the processor as the system does."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a kernel file, not a path of ours
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()
