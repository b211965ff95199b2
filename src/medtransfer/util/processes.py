"""Processes by names that say on which machine they run."""

from __future__ import annotations

import os
import socket


def process_name() -> str:
    """Return the name of this process: `host:number`."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(process: str) -> bool:
    """Return whether a process, by its name, ran on this machine and has ended."""
    host, _, number = process.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, ValueError):
        return True
    except PermissionError:
        return False
    return False
