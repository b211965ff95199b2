"""Measure the memory and time of training a whole network, with and without `gradient_checkpointing`.

    python benchmarks/gradient_checkpointing.py    # five minutes; writes benchmarks/results/gradient_checkpointing.md

The stage `train` runs in a separate process on `fetal_head` at 224 pixels, with 10 images per class in batches of 32,
for two epochs; on simulated images if `../shared` is missing. Weights are random: they affect neither figure.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from audit_scale import write_images
from parallel_repro import ROOT, copy_project
from ruamel.yaml import YAML
from stages_scale import cost
from workload import SHARED

from medtransfer.util.files import sha256_of_file
from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.text import markdown_table

NETWORKS = ("mobilenet_v2", "efficientnet_b0", "resnet50")
PRECISIONS = ("float32", "bfloat16")
BEFORE = ("check", "download", "prepare", "augment none", *(f"weights {name}" for name in NETWORKS))
LESS = "with checkpointing"
HEADER = ["All layers trained, batches of 32", "MB", LESS, "ratio", "s", LESS, "ratio", "weights"]


def study(folder: Path) -> dict[str, Any]:
    """Return a study of all networks, each trained with and without checkpointing."""
    params: dict[str, Any] = YAML(typ="safe").load((ROOT / "studies/fetal_head.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"source": "folder", "folder": str(SHARED / "data/fetal_head"), "image_size": 224}
    if not SHARED.is_dir():
        write_images(folder, 300)
        params["data"] |= {"folder": str(folder), "layout": "class_folders", "split": {"method": "random"}}
    params["data"] |= {"leakage": "report"}
    params["augmentation"] = {"none": {"transforms": []}}
    params["backbones"] = {name: {"weights": "none"} for name in NETWORKS}
    usual = {"init": "random", "train": "all", "shots": 10, "epochs": 2, "lr": 1e-4}
    params["strategies"] = {"usual": usual, "less": usual | {"gradient_checkpointing": True}}
    params["variants"] = {
        f"{name}_{strategy}": {"backbone": name, "strategy": strategy, "augmentation": "none"}
        for name in NETWORKS
        for strategy in params["strategies"]
    }
    params["comparison"] = {}
    return params | {"explain": {"variants": []}}


def row(folder: Path, network: str, precision: str) -> list[str]:
    """Train a network both ways and return the table row."""
    found, weights = [], set()
    for strategy in ("usual", "less"):
        name = f"{network}_{strategy}"
        _, memory = cost(folder, f"train {name}")
        said = json.loads((folder / f"metrics/cost/{name}.json").read_text(encoding="utf-8"))
        found.append((memory, said["train_seconds"]))
        weights |= {sha256_of_file(path) for path in (folder / f"models/{name}").glob("*.safetensors")}
    (usual, time), (less, longer) = found
    same = "identical" if len(weights) == 1 else "different"
    return [
        f"{network}, {precision}", f"{usual:,.0f}", f"{less:,.0f}", f"{less / usual:.2f}", f"{time:.1f}",
        f"{longer:.1f}", f"{longer / time:.2f}", same,
    ]  # fmt: skip


def main() -> None:
    """Measure and write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        for precision in PRECISIONS:
            params = study(Path(scratch) / "images") | {"training": {"seeds": [0], "precision": precision}}
            if rows:
                with (folder / "params.yaml").open("w", encoding="utf-8") as file:
                    YAML().dump(params, file)
            else:
                copy_project(folder, params)
                for stage in BEFORE:
                    cost(folder, stage)
            for network in NETWORKS:
                rows.append(row(folder, network, precision))
                print(*rows[-1], sep="  ", flush=True)
    machine = f"{processor()}, {cpu_count()} CPU cores. `python benchmarks/gradient_checkpointing.py`"
    text = f"{markdown_table(HEADER, rows)}\n\n{machine}\n"
    (ROOT / "benchmarks/results/gradient_checkpointing.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
