"""The MLflow runs of a variant: one for it, and one nested below it for each fold and seed."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import pandas as pd
from filelock import FileLock

from medtransfer.tracking.logged_model import log_model
from medtransfer.tracking.origin import origin
from medtransfer.util.errors import UserError
from medtransfer.util.files import read_json
from medtransfer.util.places import Places, repository, run_name, state_folder
from medtransfer.util.processes import is_gone, process_name
from medtransfer.util.text import without_credentials

MOST_MODEL_MB = 100
"""Larger models are left to DVC; the tags of the run name the variant and its inputs."""
LOCK_SECONDS = 60.0
LOCKED_SECONDS = 300.0
"""How long to try again while another process has locked the SQLite database; MLflow itself waits 20 seconds."""
SQLITE = "sqlite:///"
LOCKED = "database is locked"
OF_STORES = ("mlflow", "sqlalchemy", "sqlite3", "requests", "urllib3")
"""Packages whose errors say that MLflow's server or database refuses something."""
BOUNDS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""With MLflow's defaults, an unreachable server blocks one call for four minutes."""
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""The tag by which MLflow opens an experiment on its training runs."""
DIGEST = 36
"""The longest digest of a data set that MLflow stores."""
BYTES_PER_PARAMETER = 4
LONGEST_PARAM = 500


class PatientClient:
    """An MLflow client whose calls wait for the database; see `when_unlocked`."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._client = when_unlocked(make)

    def __getattr__(self, name: str) -> Any:
        return partial(when_unlocked, getattr(self._client, name))


def when_unlocked(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call, and call again while another process has locked the SQLite database: a refused call has changed nothing."""
    deadline = time.monotonic() + LOCKED_SECONDS
    while True:
        try:
            return call(*arguments, **named)
        except Exception as error:
            if LOCKED not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(1)


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
        from mlflow.entities import Dataset, DatasetInput, InputTag

        self._connect()
        self._close_orphans()
        tags = {"medtransfer.inputs": inputs, "medtransfer.data": data, **self._origin}
        self._parent = self._create_run(self._variant, tags)
        self._log_params(self._parent, pd.json_normalize(resolved).to_dict("records")[0])
        source = {"uri": str(self._root / "data" / "prepared"), "sha256": data}
        dataset = Dataset(self._study, data[:DIGEST], "local", json.dumps(source))
        context = InputTag("mlflow.data.context", "training, validation and test images")
        self._client.log_inputs(self._parent, datasets=[DatasetInput(dataset, [context])])

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
        """Log the card and the history of a trained variant, and the trials of its search."""
        for file in ("card.json", "history.csv", "trials.csv"):
            if Path(folder, file).is_file():
                self._client.log_artifact(self._parent, f"{folder}/{file}")

    def evaluation(self, folder: str, found: dict[str, Any], figure: str) -> None:
        """Log test metrics, figure and model to the newest run of the same inputs, and metrics to its nested runs.

        Metrics are linked to the data set, and those of the first run, whose model is logged, to that model. Log
        nothing if there is no such run, because DVC had the result of training in its cache.
        """
        card = read_json(Path(folder, "card.json"))
        if (parent := self._run_of(card)) is None:
            return
        self._client.log_artifact(parent, figure)
        first, model = (card["runs"][0]["fold"], card["runs"][0]["seed"]), None
        if card["parameters"] * BYTES_PER_PARAMETER / 1e6 <= MOST_MODEL_MB:
            model = log_model(parent, Path(folder), first)
        data = {"dataset_name": self._study, "dataset_digest": card["data"]["pixels_sha256"][:DIGEST]}
        self._log_metrics(parent, _of_test(found["mean"]), 0, **data)
        for name, of_set in found.get("external", {}).items():
            values = {f"{metric}_{name}": value for metric, value in of_set["mean"].items()}
            self._log_metrics(parent, _of_test(values), 0)
        for child in self._runs(f"tags.`mlflow.parentRunId` = '{parent}'"):
            name = child.data.tags["medtransfer.run"]
            link = {"model_id": model} if model and name == run_name(*first) else {}
            self._log_metrics(child.info.run_id, _of_test(found["runs"].get(name, {})), 0, **data, **link)

    def intervals(self, folder: str, values: dict[str, float]) -> None:
        """Log the bounds of the intervals of test metrics to the newest run of the same inputs, if there is one."""
        if (parent := self._run_of(read_json(Path(folder, "card.json")))) is not None:
            self._log_metrics(parent, _of_test(values), 0)

    def register(self, card: dict[str, Any], text: str) -> tuple[str, str]:
        """Add the model of the newest run of a card's inputs to the registry, with a description and an alias.

        Returns the name of the registered model, which is that of the study, and the new version. Raises `UserError` if
        there is no such run, or its model was too large to be logged.
        """
        import mlflow

        parent = self._run_of(card)
        found = parent and self._client.search_logged_models([self._experiment], f"source_run_id = '{parent}'")
        if not found:
            limit = f"; models of more than {MOST_MODEL_MB} MB are not logged"
            raise UserError(
                f"{self._variant}: its model is not in MLflow; `medtransfer log {self._variant}` logs it{limit}"
            )
        tags = {"medtransfer.variant": self._variant, "medtransfer.inputs": card["inputs"]}
        model = mlflow.register_model(f"models:/{found[0].model_id}", self._study, tags=tags)
        self._client.update_model_version(self._study, model.version, text)
        self._client.set_registered_model_alias(self._study, self._variant, model.version)
        return self._study, str(model.version)

    def explanation(self, folder: str, found: dict[str, Any], figure: str) -> None:
        """Log the measures and the contact sheet of maps to the newest run of the same inputs, if there is one."""
        if (parent := self._run_of(read_json(Path(folder, "card.json")))) is None:
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
        uri = _without_password(os.environ.get("MLFLOW_TRACKING_URI", f"{SQLITE}{self._root / 'mlflow.db'}"))
        lock = state_folder() / "mlflow.lock"
        lock.parent.mkdir(exist_ok=True)
        with FileLock(lock, timeout=LOCK_SECONDS):
            plain = uri.startswith(SQLITE) and "?" not in uri  # else SQLite opens a URI, perhaps for reading alone
            file = Path(uri.removeprefix(SQLITE)) if plain else None
            if file is not None and not file.exists():
                _create_database(file)
            mlflow.set_tracking_uri(uri)
            experiment = None
            with told_if_damaged(file):
                self._client = PatientClient(partial(mlflow.MlflowClient, uri))
                experiment = self._client.get_experiment_by_name(self._study)
            if experiment is not None:
                self._experiment = experiment.experiment_id
                for key, value in KIND.items() - experiment.tags.items():
                    self._client.set_experiment_tag(self._experiment, key, value)
                return
            location = (self._root / "mlartifacts" / self._study).as_uri() if uri.startswith("sqlite") else None
            self._experiment = self._client.create_experiment(self._study, artifact_location=location, tags=KIND)

    def _close_orphans(self) -> None:
        """Close the runs of this variant whose process on this machine was killed before it could."""
        for run in self._runs(f"tags.`medtransfer.variant` = '{self._variant}' and attributes.status = 'RUNNING'"):
            if is_gone(run.data.tags.get("medtransfer.process", "")):
                self._client.set_terminated(run.info.run_id, status="KILLED")

    def _create_run(self, name: str, tags: dict[str, str]) -> str:
        common = {"mlflow.runName": name, "medtransfer.variant": self._variant, "medtransfer.process": self._process}
        run = str(self._client.create_run(self._experiment, tags=common | tags).info.run_id or "")
        if not run:  # as from a proxy that answers everything
            raise UserError("the server of MLFLOW_TRACKING_URI creates runs without an id; is it MLflow?")
        return run

    def _runs(self, condition: str) -> list[Any]:
        order = ["attributes.start_time DESC"]
        return list(self._client.search_runs([self._experiment], condition, order_by=order))

    def _log_params(self, run: str, values: dict[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)[:LONGEST_PARAM]) for key, value in values.items()]
        self._client.log_batch(run, params=params)

    def _log_metrics(self, run: str, values: Mapping[str, float | None], step: int, **links: str) -> None:
        """Log metrics; links: the ids of a model and a data set that they belong to."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, step, **links) for key, value in values.items() if value is not None]
        self._client.log_batch(run, metrics=metrics)


def _without_password(uri: str) -> str:
    """Move the user and password of a server's address to the variables that MLflow reads.

    Its errors repeat the address. That of a database stays as it is; `without_credentials` removes it from messages.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return uri
    given = {"MLFLOW_TRACKING_USERNAME": parts.username, "MLFLOW_TRACKING_PASSWORD": parts.password}
    os.environ.update({name: unquote(value) for name, value in given.items() if value})
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Raise `UserError` for what a server or a database refuses or does not answer, or if its driver is missing."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in OF_STORES and not isinstance(error, ModuleNotFoundError):
            raise
        reason = without_credentials(next(iter(str(error).splitlines()), type(error).__name__))[:300]
        raise UserError(
            f"MLflow: {reason}; check MLFLOW_TRACKING_URI, that the server runs, and that its files may be written"
        ) from None


def _create_database(file: Path) -> None:
    """Create MLflow's tables aside, and rename the file: one of an interrupted creation cannot be used or repaired."""
    import mlflow

    aside = state_folder().resolve() / "mlflow.db.new"
    aside.unlink(missing_ok=True)
    mlflow.MlflowClient(f"{SQLITE}{aside}").get_experiment_by_name("")
    file.parent.mkdir(parents=True, exist_ok=True)
    aside.replace(file)


@contextmanager
def told_if_damaged(file: Path | None) -> Iterator[None]:
    """Raise `UserError` that says what to do if MLflow cannot read its database; a locked one is another matter."""
    try:
        yield
    except Exception as error:  # SQLAlchemy's errors, or MLflow's around them
        if file is None or LOCKED in str(error):
            raise
        reason = without_credentials(next(iter(str(error).splitlines()), type(error).__name__))
        raise UserError(
            f"{file}: MLflow cannot read it ({reason}); move it away, then log every variant again: "
            f"mv {file.name} {file.name}.damaged && medtransfer log --all"
        ) from None


def _of_test(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"test_{key}": value for key, value in values.items()}


def intervals_of(table: pd.DataFrame, variant: str) -> dict[str, float]:
    """Return the bounds of a variant's intervals, `METRIC_low` and `METRIC_high`, from the table of a comparison."""
    rows = table[table["variant"] == variant]
    bounds = [name for name in table if str(name).endswith(("_low", "_high"))]
    return {str(name): float(value) for name in bounds for value in rows[name] if pd.notna(value)}


@told_in_one_line()
def log_variant(study: str, name: str, root: Path = Path()) -> None:
    """Log the epochs and the model of a variant, and the metrics, figures and maps that exist, from files on disk.

    Raises `UserError` if the variant is not trained.
    """
    places = Places(root)
    folder = places.model(name)
    if not (folder / "card.json").is_file():
        raise UserError(f"models/{name}: not trained yet; run `dvc repro train@{name}` first")
    card = read_json(folder / "card.json")
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
            add(str(folder), read_json(path), str(figure))
    if (table := places.results / "comparison.csv").is_file():
        log.intervals(str(folder), intervals_of(pd.read_csv(table), name))
