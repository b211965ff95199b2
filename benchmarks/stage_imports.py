"""Measure the time that each stage spends on imports, as a multiple of importing torch alone.

    python benchmarks/stage_imports.py      # 5 minutes on an idle machine; writes benchmarks/results/stage_imports.md
    python benchmarks/stage_imports.py 1    # once each, as a smoke test

Stages run on the shrunk default study, where all of their inputs are ready, under `python -X importtime`; their time is
the sum over all modules that they import, wherever they import them. Each is the least of several runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from parallel_repro import ENVIRONMENT, ROOT, project
from ruamel.yaml import YAML

from medtransfer.util.hardware import processor
from medtransfer.util.text import markdown_table

REPEATS = 5
STAGES = ("check", "download", "prepare", "augment standard", "weights none", "weights lite0", "train frozen")
STAGES += ("train scratch", "evaluate frozen", "explain frozen", "baselines", "compare")
SELF = re.compile(r"^import time:\s*(\d+) \|", re.MULTILINE)


def study() -> dict[str, object]:
    """Return the default study with few images, one frozen variant and one from scratch."""
    params = YAML(typ="safe").load((ROOT / "studies/phantom.yaml").read_text(encoding="utf-8"))
    params["data"]["phantom"] |= {"patients": 40, "frames": 2}
    params["data"]["image_size"] = 64
    lite = params["backbones"]["lite0"]
    params["backbones"] = {"lite0": lite, "none": {"model": "cnn_small", "weights": "none"}}
    params["strategies"] = {
        "frozen": {"train": "head", "epochs": 2},
        "scratch": {"init": "random", "train": "all", "epochs": 2},
    }
    params["variants"] = {
        "frozen": {"backbone": "lite0", "strategy": "frozen", "augmentation": "standard"},
        "scratch": {"backbone": "none", "strategy": "scratch", "augmentation": "standard"},
    }
    params["explain"] = {"variants": ["frozen"]}
    params["training"] = {"seeds": [0]}
    return params


def import_seconds(folder: Path, *command: str) -> float:
    """Run a Python command and return the seconds of its imports, without those of Python itself."""
    environment = ENVIRONMENT | {"PYTHONPATH": "src"}
    python = [sys.executable, "-X", "importtime", *command]
    done = subprocess.run(python, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return sum(map(int, SELF.findall(done.stderr))) / 1e6


def main(repeats: int) -> None:
    """Measure all stages alternately with torch and write the table."""
    commands = {"`import torch`": ("-c", "import torch")}
    for stage in STAGES:
        script, *item = stage.split()
        commands[f"`{stage.replace(' ', '@')}`"] = (f"stages/{script}.py", *item)
    with tempfile.TemporaryDirectory() as scratch:
        folder = project(Path(scratch) / "study", study())
        times = {name: [] for name in commands}
        for _ in range(repeats):
            for name, command in commands.items():
                times[name].append(import_seconds(folder, *command))
    least = {name: min(found) for name, found in times.items()}
    torch = least["`import torch`"]
    rows = [[name, f"{seconds:.2f}", f"{seconds / torch:.2f}"] for name, seconds in least.items()]
    text = "\n\n".join(
        [
            "# Time of imports by stage",
            markdown_table(["", "s", "times that of torch"], rows),
            f"{processor()}, least of {repeats}. `python benchmarks/stage_imports.py`",
        ]
    )
    print(text)
    if repeats == REPEATS:
        (ROOT / "benchmarks/results/stage_imports.md").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS)
