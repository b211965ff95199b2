"""What a user would pick instead: score against processor minutes, from the same weights on the same images.

    python benchmarks/alternatives.py FOLDER [TOOL=PYTHON ...] [timm=TRAIN.PY]    # writes results/alternatives.md

What FOLDER already has is not run again; `only=SET` writes the page of one set. TOOL is fastai, ultralytics or
autogluon; PYTHON is the interpreter of an environment that has it. TRAIN.PY is the training script of
github.com/huggingface/pytorch-image-models. Tools that are not named are reported as missing. All start from
torchvision's ResNet-18 in `../shared/weights`, read the same prepared images (112 px, PNG), train for the same number
of epochs in batches of 32, choose by the same validation images, and are scored on the same test images by the
statistics of the project. Tools otherwise keep their own defaults; see `alternatives_tools.py`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from across_sets import SETS as ACROSS
from PIL import Image
from workload import DATA, ROOT, SHARED, drawn, estimates_of, inputs_of, publish, train, weights_of

from medtransfer.comparison.scores import Estimate
from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.study import Data, Policy
from medtransfer.util.places import Places
from medtransfer.util.text import in_figures, markdown_table

SIZE, EPOCHS, FROZEN_EPOCHS = 112, 5, 10
SPLIT = {"method": "random", "test": 0.4, "validation": 0.15}
SETS = {"brain_mri": ACROSS["brain_mri"][1] | {"split": SPLIT}, "nih_covid": ACROSS["chest_adults"][1]}
METRICS = ("roc_auc", "balanced_accuracy", "accuracy")
FLIPS = Policy(views=4, transforms=[{"HorizontalFlip": {"p": 0.5}}])
NONE = Policy(views=1, transforms=[])
WHOLE: dict[str, Any] = {"train": "all", "lr": 1e-4, "epochs": EPOCHS, "monitor": "score"}
FROZEN: dict[str, Any] = {"train": "head", "lr_search": [3e-4, 1e-3, 3e-3], "epochs": 60, "patience": 10}
STUDY = [
    (policy, FROZEN | head | {"weight_decay": decay})
    for policy in (NONE, FLIPS)
    for head in ({"head": "linear"}, {"head": "mlp", "dropout": 0.2})
    for decay in (0.0, 0.01)
]
TOOLS = {
    "torchvision": ("a loop of torchvision's parts", "torchvision", EPOCHS),
    "timm": ("timm's train.py", "timm", EPOCHS),
    "fastai": ("fastai's vision_learner, fine_tune", "fastai", EPOCHS),
    "ultralytics": ("Ultralytics' classifier", "ultralytics", EPOCHS),
    "autogluon": ("AutoGluon's MultiModalPredictor", "autogluon", EPOCHS),
    "torchvision_frozen": ("a loop of torchvision's parts, frozen", "torchvision", FROZEN_EPOCHS),
    "fastai_frozen": ("fastai's vision_learner, frozen", "fastai", FROZEN_EPOCHS),
}
"""Way: title, tool, epochs."""
OURS = {"frozen": "this project, frozen", "whole": "this project, whole network"}


@dataclass(frozen=True)
class Way:
    """One way's processor and wall-clock seconds, and its estimates, or why it has none."""

    title: str
    processor: float = 0.0
    wall: float = 0.0
    estimates: dict[str, Estimate] | None = None
    why: str = ""

    def row(self) -> list[str]:
        """Return the row of the table."""
        if self.estimates is None:
            return [self.title, "–", "–", *["–"] * len(METRICS), self.why]
        found = [self.estimates[name] for name in METRICS]
        values = [f"{in_figures(e.value)} [{in_figures(e.low)}, {in_figures(e.high)}]" for e in found]
        return [self.title, f"{self.processor / 60:.2f}", f"{self.wall / 60:.2f}", *values, self.why]


def lay_out(prepared: Prepared, folder: Path) -> None:
    """Write the prepared images as PNG, named by their row, in a folder per part and class."""
    for part, rows in zip(("train", "val", "test"), vars(prepared.roles(0)).values(), strict=True):
        for row in map(int, rows):
            place = folder / part / str(prepared.table["label"].iloc[row])
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(prepared.images[row].squeeze()).convert("RGB").save(place / f"{row:06}.png")


def lay_out_weights(folder: Path) -> None:
    """Write the weights where each tool looks for its own."""
    state = {name: value.float() for name, value in weights_of("resnet18", folder / "weights").state.items()}  # type: ignore[union-attr]
    checkpoints = folder / "hub/checkpoints"
    snapshot = folder / "hf/hub/models--timm--resnet18.tv_in1k/snapshots/0"
    for place in (checkpoints, snapshot):
        place.mkdir(parents=True)
    torch.save(state, folder / "resnet18.pth")
    torch.save(state, checkpoints / "resnet18-f37072fd.pth")
    from safetensors.torch import save_file

    save_file(state, snapshot / "model.safetensors")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0")


def timed(title: str, command: list[str], environment: dict[str, str], log: Path) -> Way:
    """Run a process to its end, unless its times are known; return them, without estimates."""
    known = log.with_suffix(".times")
    if known.exists():
        return Way(title, *map(float, known.read_text().split()))
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if not done.returncode:
        known.write_text(f"{spent} {wall}")
    last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""])[-1]
    return Way(title, spent, wall, why=f"failed: {last[:120]}" if done.returncode else "")


def scored(way: Way, folder: Path, key: str, prepared: Prepared) -> Way:
    """Add the estimates of the predictions that a way has written."""
    if way.why:
        return way
    found = pd.read_csv(folder / f"{key}.csv").set_index("file")
    table = prepared.table.iloc[[int(name.removesuffix(".png")) for name in found.index]]
    frame = pd.DataFrame({"path": table["path"].to_numpy(), "group": table["group"].to_numpy()})
    frame["label"], frame["fold"], frame["seed"], frame["role"] = table["label_index"].to_numpy(), 0, 0, "test"
    for name in prepared.classes:
        frame[f"p_{name}"] = found[name].to_numpy("float32")
    assert len(frame) == len(prepared.roles(0).test), f"{key}: predictions of other images"
    return Way(way.title, way.processor, way.wall, estimates_of(frame, list(METRICS)))


def ours(folder: Path, way: str) -> None:
    """Train this project's variant, or all of the study; write the predictions of the variant's first run."""
    os.environ["DVC_ROOT"] = str(folder / way)
    prepared, weights = Prepared(Places(folder / "set").prepared), weights_of("resnet18", folder / "weights")
    lines = {"frozen": [(FLIPS, FROZEN)], "whole": [(FLIPS, WHOLE)], "study": STUDY}[way]
    seeds = [0, 1, 2] if way == "study" else [0]
    for number, (policy, strategy) in enumerate(lines):
        views = drawn(prepared, policy, folder / f"{way}/views{number}")
        inputs, place = inputs_of(prepared, views, policy, weights, seeds, **strategy), folder / f"{way}/{number}"
        train(inputs, place)
        frame = pd.concat(predict_variant(inputs.variant, prepared, place / "model", inputs.compute))
        test = frame[frame["role"] == "test"]
        by_path = dict(zip(prepared.table["path"], prepared.table.index, strict=True))
        test = test[test["seed"] == 0].assign(
            file=[f"{by_path[path]:06}.png" for path in test[test["seed"] == 0]["path"]]
        )
        columns = {f"p_{name}": name for name in prepared.classes}
        test[["file", *columns]].rename(columns=columns).to_csv(folder / f"{way}.csv", index=False)


def arranged(name: str, folder: Path) -> float:
    """Prepare a set and lay it out with the weights, once; return the processor seconds of preparing it."""
    if not (folder / "preparing").exists():
        folder.mkdir(parents=True)
        os.environ["DVC_ROOT"], started = str(folder), time.process_time()
        data = Data.model_validate(DATA | {"image_size": SIZE} | SETS[name])
        prepare(SHARED / "data" / name, data, 0, Places(folder / "set"))
        spent = time.process_time() - started
        lay_out(Prepared(Places(folder / "set").prepared), folder)
        lay_out_weights(folder)
        (folder / "preparing").write_text(str(spent))
    return float((folder / "preparing").read_text())


def measured(name: str, interpreters: dict[str, str], folder: Path) -> tuple[list[Way], float, float]:
    """Measure every way on a set; return them, the study's processor seconds, and those of preparing the set."""
    preparing = arranged(name, folder)
    prepared = Prepared(Places(folder / "set").prepared)
    environment = os.environ | {
        "TORCH_HOME": str(folder), "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "YOLO_CONFIG_DIR": str(folder),
        "PYTHONPATH": str(ROOT / "src"), "MEDTRANSFER_SHARED": str(SHARED),
    }  # fmt: skip
    ways = []
    for key, title in OURS.items():
        command = [sys.executable, __file__, "ours", str(folder), key]
        ways.append(scored(timed(title, command, environment, folder / f"{key}.log"), folder, key, prepared))
    study = timed("", [sys.executable, __file__, "ours", str(folder), "study"], environment, folder / "study.log")
    if study.why:
        sys.exit(f"the study of this project {study.why}")
    if "timm" in interpreters:
        (folder / "timm_train.py").unlink(missing_ok=True)
        (folder / "timm_train.py").symlink_to(Path(interpreters["timm"]).resolve())
    for key, (title, tool, epochs) in TOOLS.items():
        python = sys.executable if tool in ("timm", "torchvision") else interpreters.get(tool, "")
        if not python or (tool == "timm" and tool not in interpreters):
            ways.append(Way(title, why="not given"))
            continue
        script = str(Path(__file__).with_name("alternatives_tools.py"))
        done = timed(title, [python, script, key, str(folder), str(epochs)], environment, folder / f"{key}.log")
        ways.append(scored(done, folder, key, prepared))
        print(name, ways[-1].row(), flush=True)
    return ways, study.processor, preparing


def gap(ways: list[Way], study: float, preparing: float) -> str:
    """Return the table of a study of eight variants and three seeds."""
    whole, fixed = [], []
    for way in ways:
        if way.estimates is not None:
            (fixed if "frozen" in way.title else whole).append([way.title, f"{24 * way.processor / 60:.1f}"])
    fixed[0] = [f"{fixed[0][0]} (measured whole)", f"{(study + preparing) / 60:.1f}"]
    header = ["Eight variants, three seeds", "processor min"]
    return f"{markdown_table(header, fixed)}\n\n{markdown_table(header, whole)}"


def main(folder: Path, interpreters: dict[str, str]) -> None:
    """Measure and publish."""
    parts, only = [], interpreters.pop("only", "")
    header = ["", "processor min", "wall min", "ROC-AUC", "balanced accuracy", "accuracy", "note"]
    for name in [only] if only else SETS:
        ways, study, preparing = measured(name, interpreters, folder / name)
        counts = [len(rows) for rows in vars(Prepared(Places(folder / name / "set").prepared).roles(0)).values()]
        parts += [
            f"## {name}: {counts[0]} training, {counts[1]} validation, {counts[2]} test images",
            markdown_table(header, [way.row() for way in ways]),
            f"Preparing the set (packing, duplicates, leaks), once for all variants: {preparing / 60:.2f} min.",
            gap(ways, study, preparing),
        ]
    publish(
        "alternatives",
        *parts,
        f"ResNet-18, {SIZE} px, one seed; whole networks {EPOCHS} epochs; frozen ones {FROZEN_EPOCHS}, in this project "
        "at three rates and up to 60, which the cache makes cheap. Processor minutes are those of the process and its "
        "children, start and predictions included: other work on the machine changes the wall clock, and these hardly. "
        "The study: two augmentations, two heads and two weight decays, frozen, is measured for this project, with "
        "preparation; everything else in the last two tables is 24 times the one run above.",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        ours(Path(sys.argv[2]), sys.argv[3])
    else:
        main(Path(sys.argv[1]).resolve(), dict(word.split("=", 1) for word in sys.argv[2:]))
