"""Logs a variant from the files of its stages, where MLflow was off, gone or lost."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from medtransfer.tracking.origin import origin, process_name
from medtransfer.tracking.variant_log import VariantLog
from medtransfer.util.errors import UserError


def log_again(study: str, name: str, root: Path = Path()) -> None:
    """Log the epochs, the model and, where they are there, the test metrics, figures and maps of a variant.

    Raises `UserError` where the variant is not trained.
    """
    folder = root / "models" / name
    if not (folder / "card.json").is_file():
        raise UserError(f"models/{name}: not trained yet; `dvc repro train@{name}` first")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    resolved = {key: card[key] for key in ("model", "backbone", "strategy", "augmentation")}
    log = VariantLog(study, name, process_name(), origin())
    log.start(resolved, card["inputs"], card["data"]["pixels_sha256"])
    for row in pd.read_csv(folder / "history.csv").to_dict("records"):
        fold, seed = int(row.pop("fold")), int(row.pop("seed"))
        log.epoch(fold, seed, {str(key): value for key, value in row.items()})
    log.history(str(folder))
    log.close("FINISHED")
    metrics = root / "metrics" / "variants" / f"{name}.json"
    if metrics.is_file():
        found = json.loads(metrics.read_text(encoding="utf-8"))
        log.evaluation(str(folder), found, str(root / "plots" / "variants" / f"{name}.png"))
    maps = root / "metrics" / "explain" / f"{name}.json"
    if maps.is_file():
        found = json.loads(maps.read_text(encoding="utf-8"))
        log.explanation(str(folder), found, str(root / "plots" / "explain" / f"{name}.png"))
