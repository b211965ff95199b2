"""Measure the time and memory of every stage, from 1,000 to 30,000 simulated images and on chest X-rays.

    python benchmarks/stages_scale.py           # half an hour; writes benchmarks/results/stages_scale.md
    python benchmarks/stages_scale.py 200 400   # other numbers of images, without the X-rays

The stage scripts run in sequence, each in a separate process, on images of 224 pixels: simulated ones, of which every
tenth is a rotated copy of its predecessor, and the set `chest_xray` of `../shared`. A MobileNetV3-small is frozen,
trains its last three layers, and trains all layers, for two epochs of two views each. Seconds are wall-clock time
including start-up; memory is the peak resident size.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from audit_scale import first_images, write_images
from parallel_repro import ROOT, copy_project
from ruamel.yaml import YAML
from workload import SHARED

from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.text import markdown_table

COUNTS = (1_000, 3_000, 10_000, 30_000)
VARIANTS: dict[str, dict[str, Any]] = {
    "frozen": {"train": "head", "head": "own"},
    "last": {"train": {"last": 3}, "lr": 1e-4},
    "whole": {"train": "all", "lr": 1e-4},
}
ENVIRONMENT = os.environ | {"MEDTRANSFER_TRACKING": "off", "PYTHONPATH": "src"}
STAGES = [
    "check", "download", "prepare", "augment standard", "weights mobilenet_v3_small",
    *(f"{stage} {name}" for name in VARIANTS for stage in ("train", "evaluate")), "baselines", "compare",
]  # fmt: skip
X_RAYS = {"group": {"pattern": r"^(?:(person\d+)_(bacteria|virus)|((?:NORMAL2-)?IM-\d+))"}}

RUN = """import atexit, runpy, sys
from pathlib import Path
from medtransfer.util.hardware import peak_memory_mb
atexit.register(lambda: Path("peak").write_text(str(peak_memory_mb())))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script and writes its peak memory; it needs a new process, because a child's peak starts at its parent's."""

Cost = tuple[float, float]
"""Seconds, and MB."""


def study(raw: Path, **data: Any) -> dict[str, Any]:
    """Return the default study on other images, with one backbone trained in three ways."""
    params: dict[str, Any] = YAML(typ="safe").load((ROOT / "studies/phantom.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"source": "folder", "folder": str(raw), "masks": None, "group": None, "image_size": 224}
    params["data"] |= {"leakage": "report", **data}
    params["augmentation"] = {"standard": params["augmentation"]["standard"] | {"views": 2}}
    params["backbones"] = {"mobilenet_v3_small": {"weights": str(SHARED / "weights/mobilenet_v3_small.safetensors")}}
    if not SHARED.is_dir():
        params["backbones"] = {"mobilenet_v3_small": {"model": "timm/tf_efficientnet_lite0", "weights": "package"}}
    params["strategies"] = {name: strategy | {"epochs": 2} for name, strategy in VARIANTS.items()}
    line = {"backbone": "mobilenet_v3_small", "augmentation": "standard"}
    params["variants"] = {name: line | {"strategy": name} for name in VARIANTS}
    return params | {"explain": {"variants": []}, "training": {"seeds": [0]}}


def costs(folder: Path, params: dict[str, Any]) -> dict[str, Cost]:
    """Run the script of every stage in a copy of the project."""
    copy_project(folder, params)
    found = {}
    for stage in STAGES:
        found[stage] = cost(folder, stage)
        print(f"{folder.name} {stage}: {found[stage][0]:.1f} s, {found[stage][1]:,.0f} MB", flush=True)
    return found


def cost(folder: Path, stage: str) -> Cost:
    """Run the script of a stage in a separate process."""
    script, *names = stage.split()
    command = [sys.executable, "-c", RUN, f"stages/{script}.py", *names]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{stage}: {done.stderr[-2000:]}")
    return time.perf_counter() - started, float((folder / "peak").read_text(encoding="utf-8"))


def page(simulated: dict[int, dict[str, Cost]], real: dict[str, Cost] | None) -> str:
    """Format time per image and memory, one column per number of images, with the X-rays last."""
    columns = {f"{count:,}": (count, found) for count, found in simulated.items()}
    if real:
        columns["chest_xray, 5,856"] = (5_856, real)
    times = [
        [stage, *(f"{1000 * found[stage][0] / count:.2f}" for count, found in columns.values())] for stage in STAGES
    ]
    whole = [f"{1000 * sum(time for time, _ in found.values()) / count:.1f}" for count, found in columns.values()]
    memory = [[stage, *(f"{found[stage][1]:,.0f}" for _, found in columns.values())] for stage in STAGES]
    most = [f"{max(peak for _, peak in found.values()):,.0f}" for _, found in columns.values()]
    parts = [
        "# Cost of every stage by number of images",
        markdown_table(["ms per image", *columns], [*times, ["total", *whole]]),
        markdown_table(["Peak memory, MB", *columns], [*memory, ["maximum", *most]]),
        "Memory is that of a stage's main process. `augment` also has one worker per CPU core, of about 90 MB each.",
        f"{processor()}, {cpu_count()} CPU cores. `python benchmarks/stages_scale.py`",
    ]
    return "\n\n".join(parts)


def main(counts: list[int]) -> None:
    """Measure each number of images and the X-rays, and write the page."""
    full = tuple(counts) == COUNTS
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "images"
        write_images(source, max(counts))
        simulated = {}
        for count in counts:
            raw = first_images(source, Path(scratch) / f"raw{count}", count)
            params = study(raw, layout="class_folders", split={"method": "random"})
            simulated[count] = costs(Path(scratch) / f"{count}", params)
        raw, real = SHARED / "data/chest_xray", None
        if full and raw.is_dir():
            split = {"method": "published", "validation": 0.1}
            real = costs(Path(scratch) / "xray", study(raw, layout="split_folders", split=split, **X_RAYS))
    text = page(simulated, real)
    print(text)
    if full:
        (ROOT / "benchmarks/results/stages_scale.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or list(COUNTS))
