"""DVC stage `compare`: all variants of the study side by side."""

from __future__ import annotations

from medtransfer.comparison.compare import compare
from medtransfer.errors import run
from medtransfer.study import load_study
from medtransfer.tracking.tracker import wait_for_follower

TRACKING_SECONDS = 60.0


def main() -> None:
    """Compare the variants of the params; this is where a whole run ends, so wait for what MLflow is still told."""
    compare(load_study())
    wait_for_follower(TRACKING_SECONDS)


if __name__ == "__main__":
    run(main)
