"""Time `medtransfer repro -j 2` against `dvc repro` on eight equal variants, with one thread per stage in both.

    python benchmarks/parallel_repro.py        # ten minutes; writes benchmarks/results/parallel_repro.md

The variants differ only in their weight decay. Upstream stages run beforehand and are not timed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.text import markdown_table

ROOT = Path(__file__).parents[1]
VARIANTS, REPEATS = 8, 3
MAPS = ("metrics/explain/.gitkeep", "plots/explain/.gitkeep")
PARTS = (".dvc/config", ".dvc/plots", ".dvcignore", ".gitignore", "dvc.yaml", *MAPS)
PARTS += ("data/external", "data/incoming", "extensions", "src", "stages")
ENVIRONMENT = os.environ | {"MEDTRANSFER_TRACKING": "off", "MEDTRANSFER_THREADS": "1", "OMP_NUM_THREADS": "1"}


def study() -> dict[str, object]:
    """Return the default study with eight equal variants instead of its own."""
    params = YAML(typ="safe").load((ROOT / "studies/phantom.yaml").read_text(encoding="utf-8"))
    params["backbones"] = {"resnet18": {"weights": "none"}}
    params["strategies"] = {"scratch": {"init": "random", "train": "all", "epochs": 4}}
    line = {"backbone": "resnet18", "strategy": "scratch", "augmentation": "standard"}
    params["variants"] = {f"equal{n}": line | {"weight_decay": round(n * 1e-4, 4)} for n in range(VARIANTS)}
    params["explain"] = {"variants": []}
    params["training"] = {"seeds": [0]}
    return params


def project(folder: Path, study: dict[str, object], *targets: str) -> Path:
    """Copy the project with a study and run some of its stages."""
    copy_project(folder, study)
    run(folder, "dvc", "config", "--local", "core.no_scm", "true")
    run(folder, "dvc", "repro", *targets)
    return folder


def copy_project(folder: Path, study: dict[str, object]) -> None:
    """Copy the files that a run needs and write `params.yaml`."""
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(study, file)


def run(folder: Path, *command: str) -> float:
    """Run a command and return its seconds; raise if it fails."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Time both alternately, on copies of the same project, and write the table."""
    ways = {"serial": ("dvc", "repro"), "parallel": ("medtransfer", "repro", "-j", "2")}
    times: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        ready = project(Path(scratch) / "ready", study(), "augment@standard", "weights@resnet18", "baselines")
        for repeat in range(REPEATS):
            for way, command in ways.items():
                folder = shutil.copytree(ready, Path(scratch) / f"{way}{repeat}", symlinks=True)
                times[way].append(run(folder, *command))
    serial, parallel = (statistics.median(found) for found in times.values())
    rows = [
        ["`dvc repro`, one thread", f"{serial:.0f}", "1.0"],
        ["`medtransfer repro -j 2`, one thread each", f"{parallel:.0f}", f"{serial / parallel:.2f}"],
    ]
    header = [f"Eight equal variants, from train to compare, medians of {REPEATS}", "seconds", "speed-up"]
    table = markdown_table(header, rows)
    text = "\n".join([table, "", f"{processor()}, {cpu_count()} CPU cores. `python benchmarks/parallel_repro.py`"])
    (ROOT / "benchmarks/results").mkdir(exist_ok=True)
    (ROOT / "benchmarks/results/parallel_repro.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
