"""Where a run comes from: its commit, DVC experiment and stage."""

from __future__ import annotations

import os
import subprocess

VARIABLES = {"dvc.stage": "DVC_STAGE", "dvc.experiment": "DVC_EXP_NAME", "dvc.baseline": "DVC_EXP_BASELINE_REV"}


def origin() -> dict[str, str]:
    """Return the tags that tie a run to its git commit, DVC experiment and stage, as far as they exist."""
    tags = {tag: os.environ[name] for tag, name in VARIABLES.items() if os.environ.get(name)}
    if "dvc.stage" in tags:
        tags |= {"mlflow.source.name": f"dvc repro {tags['dvc.stage']}", "mlflow.source.type": "LOCAL"}
    try:
        git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return tags
    if git.returncode == 0:
        tags["mlflow.source.git.commit"] = git.stdout.strip()
    return tags
