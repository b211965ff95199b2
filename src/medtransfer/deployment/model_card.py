"""The card of an exported model: what it is, its data and training, its performance and its limits.

Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from medtransfer.data.prepared import Prepared, unit_of
from medtransfer.data.targets import TARGETS
from medtransfer.deployment.interface import INPUT, output_name, output_shape, preprocessing
from medtransfer.deployment.model import Model
from medtransfer.statistics.metrics import title_of
from medtransfer.study import Strategy, load_study
from medtransfer.tasks import TASKS
from medtransfer.util.errors import UserError
from medtransfer.util.files import read_json
from medtransfer.util.places import Places, run_name
from medtransfer.util.text import code, counted, in_figures, markdown_table, visible, with_interval, without_html

USE = """\
```python
import numpy, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
pixels = numpy.zeros((1, {channels}, {size}, {size}), numpy.uint8)  # images, preprocessed as described below
({output},) = session.run(["{output}"], {{"{input}": pixels}})
```"""
USE_IN_MLFLOW = """\
```python
import mlflow, torch

model = mlflow.pytorch.load_model("{address}")
pixels = torch.zeros((8, {channels}, {size}, {size}), dtype=torch.uint8)  # images, preprocessed as described below
{output} = model(pixels)
```"""
NO_METRICS = "None: this repository has no comparison with this model; run `dvc repro` to create one."
SPLITS = ("train", "rotating", "val", "test")
ALWAYS = ("init", "train", "head", "optimizer", "lr", "batch_size", "epochs", "monitor")
"""Fields of a strategy that are listed even if they have their default."""

LIMITS = (
    "This model comes from a comparison on a single set of images. It is not a medical device and must not be used for "
    "decisions about patients. Its performance on images from other devices, sites or populations is unknown."
)


def model_card(model: Model, difference: float | None, places: Places, address: str = "") -> str:
    """Return the card of a model as Markdown.

    difference: the largest difference between an exported file and the PyTorch model on validation images; None if
    nothing was exported. address: that of the model in MLflow, if it is there. Metrics are read from the study at
    `places` if its comparison includes the model.
    """
    card, classes = model.card, ", ".join(map(code, model.card["classes"]))
    sections = {
        "": [_summary(model), *(f"> **Warning.** {warning}" for warning in card["data"]["warnings"]), LIMITS],
        "Use": [
            (USE_IN_MLFLOW if address else USE).format(
                channels=card["channels"],
                size=card["image_size"],
                input=INPUT,
                output=output_name(card),
                address=address,
            ),
            f"**Preprocessing**: {preprocessing(card['channels'], card['image_size'], card['resize'])}",
            f"**Output**: {output_name(card)} [{output_shape(card)}], in the order {classes}.",
            _verification(card, difference) if difference is not None else "",
        ],
        "Data": [_listed(_data(places)), _counts(places)],
        "Training": [_listed(_training(model))],
        "Metrics": _metrics(model, places, of_file=difference is not None),
    }
    parts = [f"# {model.name}"]
    for title, paragraphs in sections.items():
        parts += [f"## {title}"] * bool(title) + [paragraph for paragraph in paragraphs if paragraph]
    return without_html("\n\n".join(parts) + "\n")


def _summary(model: Model) -> str:
    card, runs = model.card, ", ".join(f"fold {fold} seed {seed}" for fold, seed in model.runs)
    mean = f"the mean of the {output_name(card)} of its runs" if len(model.runs) > 1 else "a single run"
    return (
        f"{card['model']}, trained to {TASKS[card['task']].purpose(card['classes'])}: {mean} ({runs}). Each run has "
        f"{card['parameters'] / 1e6:.2f} million parameters and {card['multiply_adds'] / 1e6:,.0f} million "
        "multiply-adds per image."
    )


def _verification(card: dict[str, Any], difference: float) -> str:
    precise = card["precision"] == "float32"
    trained = f" It was trained and evaluated in {card['precision']}; expect differences in the third digit."
    return (
        f"**Verification**: on validation images, the {output_name(card)} of this file differ from those of the "
        f"PyTorch model in float32 by at most {difference:.1e}.{'' if precise else trained}"
    )


def _data(places: Places) -> dict[str, str]:
    if not places.manifest.is_file():
        raise UserError(f"{places.manifest}: no such file, but the card describes the images; run `dvc pull`")
    manifest = read_json(places.manifest)
    about = Prepared(places.prepared).about
    version = f", version {manifest['version']}" if manifest["version"] is not None else ""
    grouped = "by group; no patient or source is in two splits"
    return {
        "Source": f"{manifest['source']}: {manifest['reference']}{version}",
        "Licence": manifest["licence"] or "not stated",
        "SHA-256 of the files": manifest["sha256"],
        "SHA-256 of the pixels": about["pixels_sha256"],
        "Splits separated": grouped if about["grouped"] else "by image only, as no groups are known",
    }


def _counts(places: Places) -> str:
    """Return a table of images and groups by class and split."""
    prepared = Prepared(places.prepared)
    names = TARGETS[TASKS[prepared.task].target].names(prepared.table["label"])
    table = prepared.table.assign(label=names).explode("label")
    splits = [split for split in SPLITS if (table["split"] == split).any()]
    rows = [
        [str(label), *(f"{(found['split'] == split).sum()}" for split in splits), str(found["group"].nunique())]
        for label, found in table.groupby("label")
    ]
    return markdown_table(
        ["Class" if prepared.classes else "Label", *(f"{split} images" for split in splits), "groups"], rows
    )


def _training(model: Model) -> dict[str, str]:
    card, weights = model.card, model.card["weights"]
    digest = f", SHA-256 {weights['sha256']}" if weights["sha256"] else ""
    return {
        "Initial weights": f"{weights['source']}: {weights['reference']}{digest}".removeprefix("none: "),
        "Strategy": strategy_in_words(Strategy.model_validate(card["strategy"])),
        "Augmentation": as_text(card["augmentation"]),
        "Runs": f"{len(card['runs'])}, one per fold and seed",
        "Hash of the inputs": card["inputs"],
    }


def strategy_in_words(strategy: Strategy) -> str:
    """Describe a strategy on one line: what differs from the defaults, and the fields of `ALWAYS`."""
    changed = strategy.model_dump(mode="json", exclude_defaults=True)
    return as_text({name: getattr(strategy, name) for name in ALWAYS} | changed)


def as_text(value: Any) -> str:
    """Format plain values on one line, in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_text(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_text(item) for item in value) + "]"
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _metrics(model: Model, places: Places, *, of_file: bool) -> list[str]:
    table_file, own_file = places.results / "comparison.csv", places.metrics(model.name)
    is_from_here = model.folder.resolve() == places.model(model.name).resolve()
    if not is_from_here or not table_file.is_file() or not own_file.is_file():
        return [NO_METRICS]
    table = pd.read_csv(table_file)
    rows = table[(table["variant"] == model.name) | (table["kind"] == "baseline")].set_index("variant")
    if model.name not in rows.index:
        return [NO_METRICS]
    names = [name for name in rows if f"{name}_low" in rows and pd.notna(rows.loc[model.name, f"{name}_low"])]
    unit = unit_of(Prepared(places.prepared).about)
    cells = [[title_of(name, unit), *(with_interval(row, name) for _, row in rows.iterrows())] for name in names]
    confidence = load_study(places.root / "params.yaml").params.comparison.confidence
    own = read_json(own_file)
    returned = f"This file returns the mean of the runs' {output_name(model.card)}, which may perform slightly better"
    which = (
        f"{returned} than the runs do on average."
        if of_file
        else f"This model is one of the runs, {run_name(*model.runs[0])}."
    )
    return [
        markdown_table(["Metric", *map(str, rows.index)], cells),
        f"Mean over all runs of the variant on {counted(own['test_images'], 'test image')}, which were used for "
        f"nothing else, with its {confidence:.0%} interval (bootstrap over groups), next to baselines without a "
        f"network. {which}",
        _per_class(own["classes"]) if "classes" in own else "",
    ]


def _per_class(classes: dict[str, dict[str, float]]) -> str:
    keys = [key for key in next(iter(classes.values())) if key != "labels"]
    rows = [[name, *(in_figures(found[key]) for key in keys)] for name, found in classes.items()]
    return markdown_table(["Class (all runs together)", *keys], rows)


def _listed(values: dict[str, str]) -> str:
    return "\n".join(f"- **{name}**: {visible(value)}" for name, value in values.items())
