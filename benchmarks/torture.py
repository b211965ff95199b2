"""Disturb runs of a tiny study, each kind of trouble many times, and write how many were put right by one command.

Usage: `python benchmarks/torture.py [TRIALS]`; each trial takes about two runs of the study.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]
TABLE = ROOT / "benchmarks/results/torture.md"
TRIALS = 100


def main(trials: int) -> None:
    """Run the trials of each kind, seeds 0 to `trials` - 1, and write the table; failures are listed below it."""
    from pipeline.conftest import new_project
    from torture.troubles import KINDS, Undisturbed, copy_of, files, hashes, suffer

    rows, failures = [], []
    with tempfile.TemporaryDirectory() as name:
        untouched = new_project(ROOT, Path(name) / "untouched")
        untouched.run("dvc", "config", "--local", "core.no_scm", "true")
        complete, started = copy_of(untouched, Path(name) / "complete"), time.monotonic()
        complete.run("dvc", "repro")
        undisturbed = Undisturbed(hashes(complete), files(complete), time.monotonic() - started)
        for title, kind in KINDS.items():
            right = 0
            for seed in range(trials):
                with tempfile.TemporaryDirectory() as place:
                    source = complete if kind.from_finished else untouched
                    try:
                        suffer(kind, copy_of(source, Path(place) / "project"), undisturbed, seed)
                        right += 1
                    except Exception as error:  # noqa: BLE001 - a failure is a result
                        failures.append(f"- {title}, {' '.join(str(error).split())[:300]}")
            rows.append(f"| {title} | {trials} | {right} |")
    head = ["# Troubles of a run, and one more command", "", "| trouble | trials | as undisturbed |", "|---|---:|---:|"]
    TABLE.write_text("\n".join([*head, *rows, *([""] if failures else []), *failures]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else TRIALS)
