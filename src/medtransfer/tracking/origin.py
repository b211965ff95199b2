"""Where a run comes from: the repository, the commit, the DVC experiment and stage, the process."""

from __future__ import annotations

import os
import socket
import subprocess

VARIABLES = {"dvc.stage": "DVC_STAGE", "dvc.experiment": "DVC_EXP_NAME", "dvc.baseline": "DVC_EXP_BASELINE_REV"}


def origin() -> dict[str, str]:
    """Give the tags that tie a run to the git commit, the DVC experiment and the stage, as far as there are any."""
    tags = {tag: os.environ[name] for tag, name in VARIABLES.items() if os.environ.get(name)}
    try:
        git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return tags
    if git.returncode == 0:
        tags["mlflow.source.git.commit"] = git.stdout.strip()
    return tags


def process_name() -> str:
    """Name this process: host and number."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(process: str) -> bool:
    """Say whether a named process ran on this machine and does no more."""
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
