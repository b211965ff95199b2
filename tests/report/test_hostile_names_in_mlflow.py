"""Names that a browser would obey, on the pages of MLflow: in parameters, tags, files, and the card of a model."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import pytest
from builders import tiny_inputs, tiny_prepared
from hostile import drawn
from selenium.common import WebDriverException

from medtransfer.tracking.register import register_variant
from medtransfer.tracking.variant_log import VariantLog, log_variant
from medtransfer.training.variant import train_variant
from medtransfer.util.files import read_json, write_json, write_text
from medtransfer.util.processes import process_name

from .browser import Browser

SECONDS = 120.0
FOLDER = "<img src=x onerror=window.ran=1>"


def write_study(folder: Path, hostile: list[str], studies: Path) -> None:
    """Write a study in a folder whose classes, warnings, parameters and source have hostile names, and log it."""
    folder.mkdir()
    inputs = tiny_inputs(tiny_prepared(folder), epochs=1)
    train_variant(inputs, folder / "models/tiny", folder / "cost.json", lambda *_: None)
    manifest = dict(zip(("source", "reference", "licence"), hostile, strict=False))
    write_json(folder / "data/manifest.json", manifest | {"version": None, "sha256": "0" * 64})
    card = read_json(folder / "models/tiny/card.json")
    named = {"classes": hostile[:5], "data": card["data"] | {"warnings": hostile}}
    write_json(folder / "models/tiny/card.json", card | named)
    write_json(folder / "metrics/variants/tiny.json", {"mean": {"accuracy": 0.5}, "runs": {}})
    write_text(folder / "plots/variants/tiny.png", "")
    shutil.copy(studies / "phantom.yaml", folder / "params.yaml")
    log_variant("study", "tiny", folder)
    assert register_variant("study", "tiny", folder) == ("study", "1")
    tags = {"mlflow.source.name": hostile[0], "dvc.experiment": hostile[2], "mlflow.note.content": "\n".join(hostile)}
    log = VariantLog("study", "tiny", process_name(), tags)
    log.start({"name": {str(number): name for number, name in enumerate(hostile)}}, "others", "data")
    log.close("FINISHED")


@contextmanager
def mlflow_server(store: str) -> Iterator[str]:
    """Serve MLflow's pages on the loopback interface; yield their address."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--workers", "1"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    server = subprocess.Popen([*command, "--port", str(port)], env=environment, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def text_of(browser: Browser, url: str, expected: str) -> str:
    """Open an address until its page shows a text, and return all that it shows."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            browser.visit(url)
        except WebDriverException:  # the server is starting
            time.sleep(1)
            continue
        for _ in range(40):
            text = str(browser.run("return document.body ? document.body.innerText : ''"))
            if expected in text:
                return text
            time.sleep(0.5)
    raise AssertionError(f"{url} does not show {expected!r} but {text[:500]!r}")


@pytest.mark.slow
def test_two_hundred_names_run_nothing_on_the_pages_of_mlflow(
    started_browser: Browser, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    folder, hostile = tmp_path / FOLDER, drawn(200)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MEDTRANSFER_TRACKING", raising=False)
    write_study(folder, hostile, root / "studies")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("study").experiment_id
    runs = [run for run in client.search_runs([experiment]) if run.inputs.dataset_inputs]
    named, trained = (f"experiments/{experiment}/runs/{run.info.run_id}" for run in runs)
    (model,) = client.search_logged_models([experiment])
    pages = {
        f"experiments/{experiment}/runs": "tiny",
        f"experiments/{experiment}/models": "model",
        named: "name.0",
        f"{trained}/artifacts/card.json": "onerror",
        f"experiments/{experiment}/models/{model.model_id}": "augmentation.views",
        "models/study": "Version 1",
        "models/study/versions/1": "trained to distinguish 5 classes",
    }
    with mlflow_server(store) as address:
        for page, expected in pages.items():
            text = text_of(started_browser, f"{address}/#/{page}", expected)
            assert started_browser.run("return window.ran === undefined"), page
            assert not [url for url in started_browser.requests() if "//localhost" in url], page
    assert hostile[0] in text
