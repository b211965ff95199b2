"""Read thousands of hostile and damaged files as the stages do, and count what becomes of them.

    python benchmarks/fuzz.py            # 2,500 files of each kind; writes benchmarks/results/fuzz.md
    python benchmarks/fuzz.py 100 7      # 100 of each kind, from seed 7, and no table

A file is drawn from its seed, kind and number, which a fault names. Each batch is a process of its own, with a bound on
its memory; a file may take 15 seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks/results/fuzz.md"
KINDS = {
    "weights": "weights (.pth, .safetensors)",
    "archives": "zip archives",
    "tables": "tables (.csv, .tsv, .txt, .xlsx)",
    "dicoms": "DICOM files",
}
COUNT, BATCH = 2500, 125
MOST_BYTES = 1 << 30
MOST_SECONDS = 15
BEYOND = 4 << 30
"""Virtual memory that a batch may ask for beyond that of its imports: then it ends, and not the machine."""


def batch(kind: str, seed: str, first: int, last: int) -> None:
    """Read the files of some numbers; print the number of each before it and what became of it after it."""
    from fuzzed.trials import trial

    module = importlib.import_module(f"fuzzed.{kind}")
    most = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + BEYOND
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for number in range(first, last):
        print(number, flush=True)
        outcome = trial(module, f"{seed}/{kind}/{number}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps([outcome.what, outcome.seconds, peak]), flush=True)


def outcomes(kind: str, seed: str, count: int) -> list[tuple[int, str, float, int]]:
    """Return the number of each file, what became of it, the seconds that it took, and the peak memory so far."""
    found: list[tuple[int, str, float, int]] = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))}
    while len(found) < count:
        first, last = len(found), min(len(found) + BATCH, count)
        command = [sys.executable, "-W", "ignore", __file__, "batch", kind, seed, str(first), str(last)]
        done = subprocess.run(
            command, env=environment | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True, check=False
        )
        lines = done.stdout.splitlines()
        for number, line in zip(lines[::2], lines[1::2], strict=False):
            found.append((int(number), *json.loads(line)))
        if len(found) < last:  # the process died of the file that it named last
            found.append((len(found), f"killed the process ({done.returncode})", 0.0, 0))
    return found


def main(count: int = COUNT, seed: str = "0") -> int:
    """Read `count` files of each kind; print and return the number of faults, and write the table of a whole run."""
    rows, faults = [], []
    for kind, title in KINDS.items():
        found = outcomes(kind, seed, count)
        counts, peak = Counter(what for _, what, _, _ in found), max(row[3] for row in found)
        bad = [(number, what) for number, what, _, _ in found if what not in ("read", "refused")]
        faults += [f"- `{seed}/{kind}/{number}`: {what}" for number, what in bad]
        faults += [f"- {kind}: {peak:,} bytes of memory"] if peak > MOST_BYTES else []
        numbers = f"{len(found):,} | {counts['read']:,} | {counts['refused']:,} | {max(row[2] for row in found):.1f}"
        rows.append(f"| {title} | {numbers} | {peak / 1e6:,.0f} |")
    head = [
        "# Hostile and damaged files", "",
        f"`python benchmarks/fuzz.py`, seed {seed}. A file is read, refused in one line, or a fault: another error, a",
        f"wrong result, more than {MOST_SECONDS} seconds, or more than a gigabyte. The time is that of the slowest",
        "file, the memory the peak of a process, libraries included.", "",
        "| kind | files | read | refused | slowest, s | memory, MB |", "|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    text = "\n".join([*head, *rows, "", f"Faults: {len(faults)}.", *faults]) + "\n"
    print(text)
    if count == COUNT:
        TABLE.write_text(text, encoding="utf-8")
    return len(faults)


if __name__ == "__main__":
    if sys.argv[1:2] == ["batch"]:
        batch(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        sys.exit(main(*map(int, sys.argv[1:2]), *sys.argv[2:3]) > 0)
