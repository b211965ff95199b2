"""MLflow runs of stages that finish, fail or are killed; no server can stop a stage."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest
from builders import tiny_inputs, tiny_prepared

from medtransfer.deployment.trained import predict_variant
from medtransfer.tasks.classes.figures import write_variant_figure
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.tasks.predictions import write_rows
from medtransfer.tracking import tracker as tracker_module
from medtransfer.tracking import variant_log
from medtransfer.tracking.register import register_variant
from medtransfer.tracking.tracker import Tracker, spool_folder, wait_for_follower, waiting
from medtransfer.tracking.variant_log import VariantLog, log_variant
from medtransfer.training.variant import train_variant
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_json, write_text
from medtransfer.util.processes import process_name

RESOLVED = {"model": "cnn_small", "strategy": {"lr": 0.001, "train": "all"}}
EPOCH = {"epoch": 0, "lr": 0.001, "train_loss": 1.5, "validation_loss": 1.25}

STAGE = """
import sys, time
from medtransfer.tracking.tracker import Tracker
with Tracker("study", "variant") as tracker:
    tracker.start({"model": "cnn_small"}, "inputs", "data")
    tracker.epoch(0, 0, {"epoch": 0, "train_loss": 1.0})
    print("running", flush=True)
    time.sleep(float(sys.argv[1]))
"""


def runs(store: Path, study: str = "study") -> list[Any]:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(study)
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def parent_and_children(store: Path, study: str = "study") -> tuple[Any, list[Any]]:
    wait_for_follower(60)
    found = runs(store, study)
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return parent, [run for run in found if run is not parent]


def test_a_variant_has_one_run_with_a_nested_run_per_fold_and_seed(store: Path) -> None:
    with Tracker("study", "variant") as tracker:
        tracker.start(RESOLVED, "hash of inputs", "hash of pixels")
        for fold, seed in ((0, 0), (0, 1), (1, 0)):
            for number in range(2):
                tracker.epoch(fold, seed, EPOCH | {"epoch": number})
    parent, children = parent_and_children(store)
    assert parent.data.params["strategy.lr"] == "0.001"
    assert parent.data.tags["medtransfer.inputs"] == "hash of inputs"
    assert parent.inputs.dataset_inputs[0].dataset.digest == "hash of pixels"
    assert {run.data.tags["medtransfer.run"] for run in children} == {"fold0_seed0", "fold0_seed1", "fold1_seed0"}
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children)
    assert all(run.data.metrics["validation_loss"] == 1.25 for run in children)
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}


def test_tags_name_the_dvc_stage_and_experiment(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@variant")
    monkeypatch.setenv("DVC_EXP_NAME", "bold-name")
    with Tracker("study", "variant") as tracker:
        tracker.start(RESOLVED, "inputs", "data")
    parent, _ = parent_and_children(store)
    assert parent.data.tags["dvc.stage"] == "train@variant"
    assert parent.data.tags["dvc.experiment"] == "bold-name"


def test_an_error_in_the_stage_closes_the_runs_as_failed(store: Path) -> None:
    with pytest.raises(RuntimeError), Tracker("study", "variant") as tracker:
        tracker.start(RESOLVED, "inputs", "data")
        raise RuntimeError
    assert parent_and_children(store)[0].info.status == "FAILED"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_stage_leaves_no_run_open(store: Path, how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", STAGE, "60"], stdout=subprocess.PIPE, text=True) as stage:
        assert stage.stdout is not None
        assert stage.stdout.readline() == "running\n"
        wait_for(lambda: len(runs(store)) == 2)
        os.kill(stage.pid, how)
    wait_for(lambda: {run.info.status for run in runs(store)} == {"KILLED"})


def test_runs_of_a_dead_process_are_closed_at_the_next_start(store: Path) -> None:
    log = VariantLog("study", "variant", process_name(), {})
    log.start(RESOLVED, "old", "data")
    for run in runs(store):  # as if opened by another process whose group was killed
        host, _, _ = run.data.tags["medtransfer.process"].rpartition(":")
        log._client.set_tag(run.info.run_id, "medtransfer.process", f"{host}:999999999")
    VariantLog("study", "variant", process_name(), {}).start(RESOLVED, "new", "data")
    assert {run.data.tags["medtransfer.inputs"]: run.info.status for run in runs(store)} == {
        "old": "KILLED",
        "new": "RUNNING",
    }


def test_an_unreachable_server_costs_one_warning_and_bounded_time(
    store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    started = time.monotonic()
    with Tracker("study", "variant") as tracker:
        tracker.start(RESOLVED, "inputs", "data")
        for number in range(50):
            tracker.epoch(0, 0, EPOCH | {"epoch": number})
    assert time.monotonic() - started < 5
    wait_for_follower(60)
    assert not waiting(spool_folder())
    error = capfd.readouterr().err
    assert error.count("warning: MLflow") == 1
    assert "medtransfer log variant" in error


def test_an_unwritable_event_folder_costs_one_warning(
    store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (store / "a_file").touch()
    monkeypatch.setenv("DVC_ROOT", str(store / "a_file"))
    with Tracker("study", "variant") as tracker:
        tracker.start(RESOLVED, "inputs", "data")
        tracker.epoch(0, 0, EPOCH)
    assert capfd.readouterr().err.count("warning: MLflow") == 1


def test_the_next_follower_logs_events_that_the_last_one_left(store: Path) -> None:
    spool = spool_folder()
    spool.mkdir(parents=True)
    events = [
        {"call": "open", "arguments": {"study": "study", "variant": "v", "process": process_name(), "origin": {}}},
        {"call": "start", "arguments": {"resolved": RESOLVED, "inputs": "i", "data": "d"}},
        {"call": "close", "arguments": {"status": "FINISHED"}},
    ]
    (spool / "1_1.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    assert parent_and_children(store)[0].info.status == "FINISHED"


@pytest.mark.parametrize("content", ["", "not json\n", '{"call": "open"}\n'], ids=["empty", "malformed", "incomplete"])
def test_a_file_of_no_events_stops_no_other(
    store: Path, content: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spool = spool_folder()
    spool.mkdir(parents=True)
    (spool / "0_1.jsonl").write_text(content, encoding="utf-8")
    os.utime(spool / "0_1.jsonl", (0, 0))
    with Tracker("study", "variant") as tracker:
        tracker.start(RESOLVED, "inputs", "data")
    assert parent_and_children(store)[0].info.status == "FINISHED"
    assert waiting(spool) == []
    assert capfd.readouterr().err.count("warning: MLflow: 0_1.jsonl") == bool(content)


def test_a_password_in_the_address_is_used_and_written_nowhere(
    store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            self.send_error(403)

        do_POST = do_GET  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://somebody:s3cr%40et@127.0.0.1:{server.server_port}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with Tracker("study", "variant") as tracker:
            tracker.start(RESOLVED, "inputs", "data")
        wait_for_follower(60)
        server.shutdown()
    assert base64.b64decode(asked[0].removeprefix("Basic ")) == b"somebody:s3cr@et"
    error = capfd.readouterr().err
    assert error.count("warning: MLflow") == 1
    told = [error, *(path.read_text(errors="replace") for path in store.rglob("*") if path.suffix in (".log", ".txt"))]
    assert not [text for text in told if "s3cr" in text or "somebody" in text]


@pytest.mark.parametrize(
    "uri", ["http://somebody:s3cret@127.0.0.1:9", "postgresql://somebody:s3cret@127.0.0.1:9/mlflow"]
)
def test_logging_again_without_a_server_is_one_line_without_a_password(
    store: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    for name, value in {"URI": uri, "USERNAME": "", "PASSWORD": ""}.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    with pytest.raises(UserError) as raised, variant_log.told_in_one_line():
        VariantLog("study", "variant", process_name(), {}).start(RESOLVED, "inputs", "data")
    assert "\n" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_database_that_may_not_be_written_is_one_line(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///file:{store / 'mlflow.db'}?mode=ro&uri=true")
    with pytest.raises(UserError, match=r"readonly database.*may be written") as raised, variant_log.told_in_one_line():
        VariantLog("study", "variant", process_name(), {}).start(RESOLVED, "inputs", "data")
    assert "\n" not in str(raised.value)


def test_events_keep_their_order_if_the_clock_goes_back(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_module, "ensure_follower", lambda spool: None)
    for name in ("first", "second", "third"):
        Tracker("study", name)
        now = time.time_ns()
        monkeypatch.setattr(tracker_module.time, "time_ns", lambda now=now: now - 10**15)
    opened = [json.loads(path.read_text())["arguments"]["variant"] for path in waiting(spool_folder())]
    assert opened == ["first", "second", "third"]


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000], ids=["empty", "garbage"])
def test_a_damaged_database_is_one_line_that_says_what_to_do(store: Path, content: bytes) -> None:
    (store / "mlflow.db").unlink()
    (store / "mlflow.db").write_bytes(content)
    if not content:  # what a creation that was killed leaves
        with sqlite3.connect(store / "mlflow.db") as connection:
            connection.execute("create table experiments (experiment_id integer)")
    with pytest.raises(UserError, match=r"mv mlflow\.db mlflow\.db\.damaged && medtransfer log --all") as raised:
        VariantLog("study", "variant", process_name(), {}).start(RESOLVED, "inputs", "data")
    assert "\n" not in str(raised.value)


class LockedClient:
    """A client of a database that is locked at the first two calls."""

    def __init__(self) -> None:
        self.answers = [RuntimeError("(sqlite3.OperationalError) database is locked")] * 2

    def log_batch(self, run: str) -> str:
        if self.answers:
            raise self.answers.pop()
        return run

    def set_tag(self) -> None:
        raise RuntimeError("no such run")


def test_calls_are_repeated_while_the_database_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variant_log.time, "sleep", lambda seconds: None)
    client = variant_log.PatientClient(LockedClient)
    assert client.log_batch("run") == "run"
    with pytest.raises(RuntimeError, match="no such run"):
        client.set_tag()
    monkeypatch.setattr(variant_log, "LOCKED_SECONDS", -1.0)
    with pytest.raises(RuntimeError, match="locked"):
        variant_log.PatientClient(LockedClient).log_batch("run")


@pytest.mark.slow
def test_a_database_that_is_locked_for_a_minute_loses_nothing(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(store / "mlflow.db", isolation_level=None) as other:
        other.execute("begin exclusive")
        with Tracker("study", "variant") as tracker:
            tracker.start(RESOLVED, "inputs", "data")
            tracker.epoch(0, 0, EPOCH)
        time.sleep(60)
        other.execute("rollback")
    parent, children = parent_and_children(store)
    assert parent.info.status == "FINISHED"
    assert len(children) == 1
    assert capfd.readouterr().err == ""


def test_stages_that_start_together_on_a_new_store_are_all_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MEDTRANSFER_TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    stages = [subprocess.Popen([sys.executable, "-c", STAGE, "0"], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [stage.communicate()[1] for stage in stages] == ["", "", ""]
    wait_for_follower(60)
    assert len(runs(tmp_path)) == 6


def test_tracking_can_be_disabled(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDTRANSFER_TRACKING", "off")
    with Tracker("study", "variant") as tracker:
        tracker.start(RESOLVED, "inputs", "data")
    assert not spool_folder().exists()
    assert runs(store) == []


def test_a_lost_variant_can_be_logged_from_its_files(store: Path) -> None:
    import mlflow

    prepared = tiny_prepared(store)
    inputs = tiny_inputs(prepared, epochs=2)
    model, figure = store / "models" / "tiny", store / "plots" / "variants" / "tiny.png"
    reported: list[Any] = []
    train_variant(inputs, model, store / "cost.json", lambda *event: reported.append(event))
    frames = list(predict_variant(inputs.variant, prepared, model, inputs.compute))
    predictions = ClassPredictions(write_rows(store / "predictions" / "tiny.parquet", frames))
    found = predictions.tests.summary()
    write_json(store / "metrics" / "variants" / "tiny.json", found)
    maps = {"grad_cam": {"pointing_game": {"value": 0.75}, "likeness_to_untrained": {"value": None}}}
    write_json(store / "metrics" / "explain" / "tiny.json", {"maps": {"methods": maps}})
    write_text(store / "plots" / "explain" / "tiny.png", "a sheet")
    write_variant_figure("tiny", model / "history.csv", predictions, found, figure)
    manifest = dict.fromkeys(("reference", "version", "licence", "files", "sha256")) | {"source": "phantom"}
    write_json(store / "data/manifest.json", manifest | {"files": 80, "sha256": "0" * 64, "reference": "simulated"})
    table = pd.DataFrame({"variant": ["tiny", "other"], "accuracy_low": [0.25, 0.5], "accuracy_high": [0.75, 1.0]})
    table.to_csv(store / "metrics/comparison.csv", index=False)
    log_variant("study", "tiny", store)
    parent, children = parent_and_children(store)
    assert len(children) == 2
    assert parent.data.metrics["test_accuracy"] == pytest.approx(found["mean"]["accuracy"])
    assert parent.data.metrics["grad_cam_pointing_game"] == 0.75
    assert "grad_cam_likeness_to_untrained" not in parent.data.metrics
    assert (parent.data.metrics["test_accuracy_low"], parent.data.metrics["test_accuracy_high"]) == (0.25, 0.75)
    client = mlflow.MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    assert [file.path for file in client.list_artifacts(parent.info.run_id, "explain")] == ["explain/tiny.png"]
    for child in children:
        seed = int(child.data.params["seed"])
        curve = [point.value for point in client.get_metric_history(child.info.run_id, "validation_loss")]
        assert curve == pytest.approx([epoch.validation_loss for _, s, epoch in reported if s == seed])
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} >= {"card.json", "history.csv", "tiny.png"}
    assert parent.info.status == "FINISHED"
    _check_links(client, parent, found)


def _check_links(client: Any, parent: Any, found: dict[str, Any]) -> None:
    """Check that metrics are linked to data and model, and that the model can be registered with its card."""
    import mlflow

    (data,) = parent.inputs.dataset_inputs
    assert mlflow.data.get_source(data.dataset).uri.endswith("data/prepared")
    assert {tag.key for tag in data.tags} == {"mlflow.data.context"}
    experiment = client.get_experiment(parent.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    (model,) = client.search_logged_models([experiment.experiment_id])
    linked = {metric.key: metric for metric in model.metrics}
    assert linked["test_accuracy"].value == pytest.approx(found["runs"]["fold0_seed0"]["accuracy"])
    assert linked["test_accuracy"].dataset_digest == data.dataset.digest
    store = Path(mlflow.get_tracking_uri().removeprefix("sqlite:///")).parent
    (store / "metrics/comparison.csv").unlink()
    assert register_variant("study", "tiny", store) == ("study", "1")
    assert register_variant("study", "tiny", store) == ("study", "2")
    version = client.get_model_version_by_alias("study", "tiny")
    assert str(version.version) == "2"
    assert version.description.startswith("# tiny")
    assert "Verification" not in version.description
    assert 'mlflow.pytorch.load_model("models:/study@tiny")' in version.description
    assert "a single run (fold 0 seed 0)" in version.description
    assert "onnx" not in version.description
    with pytest.raises(UserError, match="tiny: its model is not in MLflow; `medtransfer log tiny` logs it"):
        register_variant("another", "tiny", store)


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)
