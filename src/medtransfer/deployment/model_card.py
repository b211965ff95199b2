"""A model's card: what it is, from which data, how good, and where it must not be trusted.

Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.interface import INPUT, OUTPUT, output_shape, preprocessing
from medtransfer.deployment.model import Model
from medtransfer.study import Strategy, load_study
from medtransfer.util.text import in_figures, markdown_table

USE = """\
```python
import numpy, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
pixels = numpy.zeros((1, {channels}, {size}, {size}), numpy.uint8)  # images, prepared as said below
(probabilities,) = session.run(["{output}"], {{"{input}": pixels}})
```"""
NO_METRICS = "None: the comparison of this repository has no line for this model; `dvc repro` makes it."
SPLITS = ("train", "rotating", "val", "test")
ALWAYS = ("init", "train", "head", "optimizer", "lr", "batch_size", "epochs")
"""What is said of a strategy also where it is the default."""

CAUTION = (
    "It is the outcome of a comparison on one set of images, not a medical device, and no ground for any decision "
    "about a patient. What it does on images of another machine, site or population is not known."
)


def model_card(model: Model, difference: float, checked: int, root: Path) -> str:
    """Write the card, in Markdown, of a model that was exported.

    difference: the largest one between the file and the PyTorch model, on `checked` images. Metrics are those of
    the repository `root`, where the model is one of its variants and was compared.
    """
    card = model.card
    sections = {
        "": [_summary(model), *(f"> **Warning.** {warning}" for warning in card["data"]["warnings"]), CAUTION],
        "Use": [
            USE.format(channels=card["channels"], size=card["image_size"], input=INPUT, output=OUTPUT),
            f"**Preprocessing**: {preprocessing(card['channels'], card['image_size'], card['resize'])}",
            f"**Output**: probabilities of {', '.join(card['classes'])}, in this order: [{output_shape(card)}].",
            f"On {checked} real images the file's probabilities differ from the PyTorch model's (float32) by "
            f"{difference:.1e} at most." + _precision(card),
        ],
        "Data": [_listed(_data(root)), _counts(root)],
        "Training": [_listed(_training(model))],
        "Metrics": _metrics(model, root),
    }
    parts = [f"# {model.name}"]
    for title, paragraphs in sections.items():
        parts += [f"## {title}"] * bool(title) + [paragraph for paragraph in paragraphs if paragraph]
    return "\n\n".join(parts) + "\n"


def _summary(model: Model) -> str:
    runs = ", ".join(f"fold {fold} seed {seed}" for fold, seed in model.runs)
    mean = "the mean of the probabilities of its runs" if len(model.runs) > 1 else "its run"
    purposes = {
        "classification": f"tell {len(model.card['classes'])} classes of images apart",
        "segmentation": f"find the pixels of {', '.join(model.card['classes'][1:])} in images",
    }
    return (
        f"{model.card['model']}, trained to {purposes[model.card['task']]}: {mean} ({runs}). "
        f"{model.card['parameters'] / 1e6:.2f} million parameters and "
        f"{model.card['multiply_adds'] / 1e6:,.0f} million multiply-adds a run."
    )


def _precision(card: dict[str, Any]) -> str:
    if card["precision"] == "float32":
        return ""
    return f" It was trained and evaluated in {card['precision']}, from which float32 differs in the third digit."


def _data(root: Path) -> dict[str, str]:
    manifest = json.loads((root / "data/manifest.json").read_text(encoding="utf-8"))
    about = Prepared(root / "data/prepared").about
    version = f", version {manifest['version']}" if manifest["version"] is not None else ""
    return {
        "Source": f"{manifest['source']}: {manifest['reference']}{version}",
        "Licence": manifest["licence"] or "not stated",
        "SHA-256 of the files": manifest["sha256"],
        "SHA-256 of the pixels": about["pixels_sha256"],
        "Kept apart by": "group: no patient or source stands in two splits" if about["grouped"] else "image alone",
    }


def _counts(root: Path) -> str:
    """Count images and groups of each class and split."""
    table = Prepared(root / "data/prepared").table
    splits = [split for split in SPLITS if (table["split"] == split).any()]
    rows = [
        [str(label), *(f"{(found['split'] == split).sum()}" for split in splits), str(found["group"].nunique())]
        for label, found in table.groupby("label")
    ]
    return markdown_table(["Class", *(f"{split} images" for split in splits), "groups"], rows)


def _training(model: Model) -> dict[str, str]:
    card, weights = model.card, model.card["weights"]
    digest = f", SHA-256 {weights['sha256']}" if weights["sha256"] else ""
    strategy = Strategy.model_validate(card["strategy"]).model_dump(mode="json", exclude_defaults=True)
    chosen = {name: card["strategy"][name] for name in ALWAYS} | strategy
    return {
        "Weights before": f"{weights['source']}: {weights['reference']}{digest}",
        "Strategy": as_text(chosen),
        "Augmentation": as_text(card["augmentation"]),
        "Runs": f"{len(card['runs'])}, one for each fold and seed",
        "Inputs' hash": card["inputs"],
    }


def as_text(value: Any) -> str:
    """Write plain values on one line as YAML would in its flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_text(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_text(item) for item in value) + "]"
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _metrics(model: Model, root: Path) -> list[str]:
    table_file, own_file = root / "metrics/comparison.csv", root / f"metrics/variants/{model.name}.json"
    of_this_repository = model.folder.resolve() == (root / "models" / model.name).resolve()
    if not of_this_repository or not table_file.is_file() or not own_file.is_file():
        return [NO_METRICS]
    table = pd.read_csv(table_file)
    rows = table[(table["variant"] == model.name) | (table["kind"] == "baseline")].set_index("variant")
    if model.name not in rows.index:
        return [NO_METRICS]
    names = [name for name in rows if f"{name}_low" in rows and rows.loc[model.name, f"{name}_low"] >= 0]
    cells = [[name, *(_with_interval(row, name) for _, row in rows.iterrows())] for name in names]
    confidence = load_study(root / "params.yaml").params.comparison.confidence
    own = json.loads(own_file.read_text(encoding="utf-8"))
    return [
        markdown_table(["Metric", *map(str, rows.index)], cells),
        f"On {own['test_images']} test images that nothing was chosen by: the mean over all runs of the variant, with "
        f"its {confidence:.0%} interval (bootstrap over groups), beside baselines that train no network. The mean of "
        "the runs' probabilities, which this file gives, may be a little better than the mean run.",
        _per_class(own["classes"]),
    ]


def _per_class(classes: dict[str, dict[str, float]]) -> str:
    keys = [key for key in next(iter(classes.values())) if key != "labels"]
    rows = [[name, *(in_figures(found[key]) for key in keys)] for name, found in classes.items()]
    return markdown_table(["Class (all runs together)", *keys], rows)


def _with_interval(row: pd.Series, metric: str) -> str:
    low, high = in_figures(row[f"{metric}_low"]), in_figures(row[f"{metric}_high"])
    return f"{in_figures(row[metric])} [{low}, {high}]"


def _listed(values: dict[str, str]) -> str:
    return "\n".join(f"- **{name}**: {value}" for name, value in values.items())
