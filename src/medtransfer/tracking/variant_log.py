"""The MLflow runs of a variant: one for it, and one nested below it for each fold and seed."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from medtransfer.tracking.logged_model import log_model
from medtransfer.tracking.origin import is_gone, origin, process_name
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places, repository, run_name, state_folder

MOST_MODEL_MB = 100
"""Larger models are left to DVC; the tags of the run name the variant and its inputs."""
LOCK_SECONDS = 60.0
BOUNDS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""With MLflow's defaults, an unreachable server blocks one call for four minutes."""
BYTES_PER_PARAMETER = 4
LONGEST_PARAM = 500


class VariantLog:
    """The MLflow runs of one variant. Every method may raise, and may take as long as the server takes."""

    def __init__(self, study: str, variant: str, process: str, origin: dict[str, str]) -> None:
        for name, value in BOUNDS.items():
            os.environ.setdefault(name, value)
        self._study, self._variant, self._process, self._origin = study, variant, process, origin
        self._root = repository().resolve()
        self._client: Any = None
        self._experiment = ""
        self._parent = ""
        self._children: dict[str, str] = {}

    def start(self, resolved: dict[str, Any], inputs: str, data: str) -> None:
        """Open the variant's run with its parameters, its origin and the hash of its pixels."""
        from mlflow.entities import Dataset, DatasetInput

        self._connect()
        self._close_orphans()
        tags = {"medtransfer.inputs": inputs, "medtransfer.data": data, **self._origin}
        self._parent = self._create_run(self._variant, tags)
        self._log_params(self._parent, pd.json_normalize(resolved).to_dict("records")[0])
        dataset = Dataset(self._study, data[:36], "local", json.dumps({"path": "data/prepared", "sha256": data}))
        self._client.log_inputs(self._parent, datasets=[DatasetInput(dataset)])

    def epoch(self, fold: int, seed: int, values: dict[str, float]) -> None:
        """Log an epoch to its nested run, which the first epoch opens."""
        run = run_name(fold, seed)
        if run not in self._children:
            tags = {"mlflow.parentRunId": self._parent, "medtransfer.run": run}
            self._children[run] = self._create_run(f"{self._variant} {run}", tags)
            self._log_params(self._children[run], {"fold": fold, "seed": seed})
        step = int(values["epoch"]) + 1
        self._log_metrics(self._children[run], {key: values[key] for key in values if key != "epoch"}, step)

    def history(self, folder: str) -> None:
        """Log the card and the history of a trained variant."""
        for file in ("card.json", "history.csv"):
            self._client.log_artifact(self._parent, f"{folder}/{file}")

    def evaluation(self, folder: str, found: dict[str, Any], figure: str) -> None:
        """Log test metrics, figure and model to the newest run of the same inputs, and metrics to its nested runs.

        Log nothing if there is no such run, because DVC had the result of training in its cache.
        """
        card = json.loads(Path(folder, "card.json").read_text(encoding="utf-8"))
        if (parent := self._run_of(card)) is None:
            return
        targets = {parent: found["mean"]}
        for child in self._runs(f"tags.`mlflow.parentRunId` = '{parent}'"):
            targets[child.info.run_id] = found["runs"].get(child.data.tags["medtransfer.run"], {})
        for run, values in targets.items():
            self._log_metrics(run, {f"test_{key}": value for key, value in values.items()}, 0)
        self._client.log_artifact(parent, figure)
        if card["parameters"] * BYTES_PER_PARAMETER / 1e6 <= MOST_MODEL_MB:
            first = card["runs"][0]
            log_model(parent, Path(folder), (first["fold"], first["seed"]))

    def explanation(self, folder: str, found: dict[str, Any], figure: str) -> None:
        """Log the measures and the contact sheet of maps to the newest run of the same inputs, if there is one."""
        parent = self._run_of(json.loads(Path(folder, "card.json").read_text(encoding="utf-8")))
        if parent is None:
            return
        methods = found["maps"]["methods"] if found["maps"] else {}
        measures = {f"{method}_{name}": each["value"] for method in methods for name, each in methods[method].items()}
        self._log_metrics(parent, measures, 0)
        self._client.log_artifact(parent, figure, "explain")

    def close(self, status: str) -> None:
        """Close all open runs."""
        for run in (*self._children.values(), self._parent):
            if run:
                self._client.set_terminated(run, status=status)

    def _run_of(self, card: dict[str, Any]) -> str | None:
        """Connect, and return the newest run of a card's inputs."""
        self._connect()
        runs = self._runs(f"tags.`medtransfer.inputs` = '{card['inputs']}'")
        return str(runs[0].info.run_id) if runs else None

    def _connect(self) -> None:
        """Open the store, and find or create the study's experiment.

        A lock guards it: the first access creates the schema, and concurrent attempts break it.
        """
        import mlflow

        for noisy in ("alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        uri = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{self._root / 'mlflow.db'}")
        lock = state_folder() / "mlflow.lock"
        lock.parent.mkdir(exist_ok=True)
        with FileLock(lock, timeout=LOCK_SECONDS):
            mlflow.set_tracking_uri(uri)
            self._client = mlflow.MlflowClient(uri)
            experiment = self._client.get_experiment_by_name(self._study)
            if experiment is not None:
                self._experiment = experiment.experiment_id
                return
            location = (self._root / "mlartifacts" / self._study).as_uri() if uri.startswith("sqlite") else None
            self._experiment = self._client.create_experiment(self._study, artifact_location=location)

    def _close_orphans(self) -> None:
        """Close the runs of this variant whose process on this machine was killed before it could."""
        for run in self._runs(f"tags.`medtransfer.variant` = '{self._variant}' and attributes.status = 'RUNNING'"):
            if is_gone(run.data.tags.get("medtransfer.process", "")):
                self._client.set_terminated(run.info.run_id, status="KILLED")

    def _create_run(self, name: str, tags: dict[str, str]) -> str:
        common = {"mlflow.runName": name, "medtransfer.variant": self._variant, "medtransfer.process": self._process}
        return str(self._client.create_run(self._experiment, tags=common | tags).info.run_id)

    def _runs(self, condition: str) -> list[Any]:
        order = ["attributes.start_time DESC"]
        return list(self._client.search_runs([self._experiment], condition, order_by=order))

    def _log_params(self, run: str, values: dict[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)[:LONGEST_PARAM]) for key, value in values.items()]
        self._client.log_batch(run, params=params)

    def _log_metrics(self, run: str, values: Mapping[str, float | None], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, step) for key, value in values.items() if value is not None]
        self._client.log_batch(run, metrics=metrics)


def log_variant(study: str, name: str, root: Path = Path()) -> None:
    """Log the epochs and the model of a variant, and the metrics, figures and maps that exist, from files on disk.

    Raises `UserError` if the variant is not trained.
    """
    places = Places(root)
    folder = places.model(name)
    if not (folder / "card.json").is_file():
        raise UserError(f"models/{name}: not trained yet; run `dvc repro train@{name}` first")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    resolved = {key: card[key] for key in ("model", "backbone", "strategy", "augmentation")}
    log = VariantLog(study, name, process_name(), origin())
    log.start(resolved, card["inputs"], card["data"]["pixels_sha256"])
    for row in pd.read_csv(folder / "history.csv").to_dict("records"):
        fold, seed = int(row.pop("fold")), int(row.pop("seed"))
        log.epoch(fold, seed, {str(key): value for key, value in row.items()})
    log.history(str(folder))
    log.close("FINISHED")
    for path, add, figure in (
        (places.metrics(name), log.evaluation, places.figure(name)),
        (places.explained(name), log.explanation, places.contact_sheet(name)),
    ):
        if path.is_file():
            add(str(folder), json.loads(path.read_text(encoding="utf-8")), str(figure))
