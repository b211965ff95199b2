"""Time `medtransfer repro`: kept features both ways, committing and doing nothing by number, and simulated workers.

    python benchmarks/engine.py              # ten minutes; writes benchmarks/results/engine.md
    python benchmarks/engine.py speed-up     # one part of it: kept, scale or speed-up

Kept features: frozen variants of the tests' study, which differ in their learning rate, after one of them has filled
the cache; `dvc repro` and `medtransfer repro -j 2` on copies of the same folder, one thread each. The other parts use
stages that wait instead of computing, so that what is left is the engine: see `tests/engine/simulated.py`. The
committed speed-ups were measured on a busy machine, at a higher priority than the other work (`nice -n -15`); earlier
ones, before the longest chains of stages started first, and over 25 s instead of 65, were .81, .80 and .78.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/engine"), str(ROOT / "src")]
sys.path.remove(str(ROOT / "benchmarks"))  # its torture.py hides a package of tests

from engine.simulated import write_study  # noqa: E402
from pipeline.conftest import Project, new_project  # noqa: E402

from medtransfer.util.hardware import cpu_count, processor  # noqa: E402
from medtransfer.util.text import markdown_table  # noqa: E402

FROZEN = 10
COUNTS = (100, 300, 1000)
WORKERS, WAIT, EACH = (4, 16, 64), 5.0, 6
"""Numbers of simulated workers, the seconds that each of their stages takes, and variants per worker."""


def kept_features(scratch: Path) -> list[list[str]]:
    """Time frozen variants on kept features by both commands."""
    ready = new_project(ROOT, scratch / "ready")
    ready.run("dvc", "config", "--local", "core.no_scm", "true")
    params = ready.read("params.yaml")
    start, end = params.index("variants:\n"), params.index("comparison:")
    line = "{{backbone: pretrained, strategy: frozen, augmentation: none, lr: {:.5f}}}"
    lines = [f"  v{each:02}: {line.format(1e-3 + each * 1e-5)}\n" for each in range(FROZEN + 1)]
    shape = [params[:start] + "variants:\n", params[end:].replace("[frozen, few_shot]", "[]")]
    ready.write("params.yaml", f"{shape[0]}{lines[0]}{shape[1]}")
    ready.run("dvc", "repro")
    ready.write("params.yaml", f"{shape[0]}{''.join(lines)}{shape[1]}")
    ready.run("dvc", "repro", "check")
    seconds = {}
    for command in ("dvc repro", "medtransfer repro -j 2"):
        folder = scratch / command.replace(" ", "_")
        subprocess.run(["cp", "-a", str(ready.folder), str(folder)], check=True)
        started = time.perf_counter()
        Project(folder).run(*command.split())
        seconds[command] = time.perf_counter() - started
    most = max(seconds.values())
    return [
        [f"`{command}`", f"{each:.0f}", f"{each / FROZEN:.2f}", f"{most / each:.1f}"]
        for command, each in seconds.items()
    ]


def simulated(folder: Path, variants: int, workers: int, wait: float) -> tuple[float, float]:
    """Return the seconds of a run with stages that wait, and of a second one with nothing to do."""
    write_study(folder, variants)
    code = f"from medtransfer.engine.run import reproduce; reproduce({workers}, engine='simulated:waiting')"
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests/engine")])
    environment = os.environ | {"PYTHONPATH": path, "SIMULATED_SECONDS": str(wait)}
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


def scale(scratch: Path) -> list[list[str]]:
    """Time stages that take no time, and doing nothing, by number of variants."""
    rows = []
    for count in COUNTS:
        run, nothing = simulated(scratch / f"count{count}", count, 8, 0.0)
        stages = 2 * count + 1
        rows.append([f"{count:,}", f"{stages:,}", f"{run:.0f}", f"{1000 * run / stages:.0f}", f"{nothing:.1f}"])
    return rows


def speed_up(scratch: Path) -> list[list[str]]:
    """Time stages that wait, by number of workers."""
    rows = []
    for workers in WORKERS:
        run, _ = simulated(scratch / f"workers{workers}", EACH * workers, workers, WAIT)
        ideal = (2 * EACH + 1) * WAIT  # each worker's share of two stages per variant, and the last one
        rows.append([str(workers), f"{2 * EACH * workers + 1}", f"{ideal:.0f}", f"{run:.1f}", f"{ideal / run:.2f}"])
    return rows


PARTS = {
    "kept": (
        kept_features,
        f"{FROZEN} frozen variants on kept features, from `train` to `compare`:",
        ["command", "seconds", "per variant", "times as fast"],
    ),
    "scale": (
        scale,
        "Stages that take no time, by number of variants, eight workers; then the same command with nothing to do:",
        ["variants", "stages", "seconds", "ms per stage", "nothing to do, s"],
    ),
    "speed-up": (
        speed_up,
        f"Stages that wait for {WAIT:.0f} s, {EACH} variants per worker, and one stage after all of them:",
        ["workers", "stages", "ideal, s", "seconds", "of ideal"],
    ),
}


def main(chosen: list[str]) -> None:
    """Measure the chosen parts, and write them into the page."""
    page = ROOT / "benchmarks/results/engine.md"
    _, *before = page.read_text(encoding="utf-8").split("\n## ") if page.is_file() else [""]
    sections = {section.partition("\n")[0]: section.strip() for section in before}
    with tempfile.TemporaryDirectory() as name:
        for part in chosen or PARTS:
            measure, told, header = PARTS[part]
            table = markdown_table(header, measure(Path(name)))
            where = f"{processor()}, {cpu_count()} CPU cores. `python benchmarks/engine.py {part}`"
            sections[part] = f"{part}\n\n{told}\n\n{table}\n\n{where}"
            print(sections[part])
    text = "\n\n## ".join(
        ["# The engine of `medtransfer repro`", *(sections[part] for part in PARTS if part in sections)]
    )
    page.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
