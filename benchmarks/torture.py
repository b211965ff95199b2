"""Disturb runs of a tiny study, each kind of trouble many times, and count how many one more command put right.

    python benchmarks/torture.py                                    # 100 trials of each kind: some hours
    python benchmarks/torture.py 20 "spoiled file" 40               # 20 of one kind, seeds 40 to 59
    python benchmarks/torture.py 100 "kill of a worker, local"      # of small scripts: some 15 s a trial

A trial of real stages takes about 10 processor seconds: it starts from a finished run one to three random stages of
which have never run, every tenth kill from nothing; the instant of a kill is random in processor seconds, so that other
work on the machine does not shift it. One of a server fault takes seconds. The table
`benchmarks/results/torture.md` has the trials of all runs so far, as kept in `torture.csv` next to it; a trial that is
repeated replaces the old one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [
    str(ROOT / "tests"),
    str(ROOT / "src"),
]  # not this folder: `torture` is in both
TABLE = ROOT / "benchmarks/results/torture.md"
TRIALS = 100
SERVER = "faulty MLflow server"


def main(count: int = TRIALS, only: str | None = None, first: int = 0) -> int:
    """Run trials, write the table, and return the number of failures."""
    from torture.servers import new_store, server_fault
    from torture.troubles import KINDS, Studies

    with tempfile.TemporaryDirectory() as name:
        base, failures = Path(name), 0
        studies = Studies(ROOT, base)
        store = new_store(base) if only in (None, SERVER) else base
        for seed in range(first, first + count):
            for title in [only] if only else [*KINDS, SERVER]:
                run = partial(server_fault, store=store) if title == SERVER else partial(studies.trial, title)
                with tempfile.TemporaryDirectory() as place:
                    failures += record(title, seed, partial(run, Path(place), seed=seed))
    return failures


def record(title: str, seed: int, trial: Callable[[], str]) -> bool:
    """Run a trial, keep its result, write the table, and return whether it failed."""
    try:
        told, failed = trial(), False
    except Exception as error:  # noqa: BLE001 - a failure is a result
        told, failed = " ".join(str(error).split())[:300] or type(error).__name__, True
    print(f"{title}, seed {seed}: {'FAILED: ' if failed else ''}{told}", flush=True)
    path = TABLE.with_suffix(".csv")
    row = pd.DataFrame([{"trouble": title, "seed": seed, "failed": failed, "told": told}])
    known = pd.concat([pd.read_csv(path), row]) if path.exists() else row
    known = known.drop_duplicates(["trouble", "seed"], keep="last").sort_values(["trouble", "seed"])
    known.to_csv(path, index=False)
    write_table(known)
    return failed


def write_table(known: pd.DataFrame) -> None:
    """Write the page of all trials."""
    from torture.troubles import NOTHING_RAN

    known["idle"] = known["told"].str.startswith(NOTHING_RAN)
    counts = known.groupby("trouble").agg(size=("failed", "size"), idle=("idle", "sum"), bad=("failed", "sum"))
    rows = [f"| {trouble} | {size} | {idle} | {size - bad} |" for trouble, size, idle, bad in counts.itertuples()]
    wrong = [f"- {each.trouble}, seed {each.seed}: {each.told}" for each in known[known["failed"]].itertuples()]
    head = [
        "# Troubles of a run, and one more command", "",
        "`python benchmarks/torture.py`. After each trouble one more command must give the files of an undisturbed",
        "run, costs apart, with nothing left over and no process alive; after a server fault, `medtransfer log` must",
        "log the run once. `too late`: the run had ended before the random instant of the kill. Killed workers and",
        "coordinators are those of `medtransfer repro` on nine stages that are small scripts; nobody repairs anything",
        "after the kill of a worker. All other kinds disturb the real stages of a tiny study: a finished run one to",
        "three random stages of which have never run, every tenth killed run from nothing; every fourth logs to",
        "MLflow, which must then hold each training as finished, and nothing as running.", "",
        "| trouble | trials | too late | as undisturbed |", "|---|---:|---:|---:|",
    ]  # fmt: skip
    TABLE.write_text("\n".join([*head, *rows, "", f"Failures: {len(wrong)}.", *wrong]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(main(*map(int, arguments[:1]), *arguments[1:2], *map(int, arguments[2:3])) > 0)
