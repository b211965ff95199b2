"""The MLflow model of a run loads without medtransfer and without pickle, and can be served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import numpy as np
import pytest
import torch
from builders import COMPUTE, tiny_inputs, tiny_pairs, tiny_prepared

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.predictor import Predictor
from medtransfer.tasks import TASKS
from medtransfer.tracking.logged_model import log_model
from medtransfer.training.variant import train_variant

LOADED = """
import json, sys
sys.modules["medtransfer"] = None
import mlflow, numpy, torch
pixels = numpy.load(sys.argv[2])
loaded = mlflow.pytorch.load_model(sys.argv[1])
with torch.inference_mode():
    numpy.save(sys.argv[3], loaded(torch.from_numpy(pixels)).numpy())
print(json.dumps(mlflow.models.Model.load(sys.argv[1]).metadata))
"""
SECONDS = 300.0


def logged(store: Path, prepared: Prepared) -> str:
    """Train a variant and log its second run; return the folder of the model."""
    import mlflow

    inputs = tiny_inputs(prepared, epochs=1)
    train_variant(inputs, store / "models/tiny", store / "cost.json", lambda *_: None)
    mlflow.set_tracking_uri(f"sqlite:///{store / 'mlflow.db'}")
    experiment = mlflow.create_experiment("study", artifact_location=(store / "artifacts").as_uri())
    run = mlflow.MlflowClient().create_run(experiment)
    log_model(run.info.run_id, store / "models/tiny", (0, 1))
    (place,) = (store / "artifacts").rglob("MLmodel")
    return str(place.parent)


@pytest.mark.parametrize("build", [tiny_prepared, tiny_pairs])
def test_it_loads_without_this_project_and_predicts_the_same_probabilities(
    store: Path, build: Callable[[Path], Prepared]
) -> None:
    prepared = build(store / "set")
    model = logged(store, prepared)
    pixels = np.ascontiguousarray(prepared.images[:5].transpose(0, 3, 1, 2))
    np.save(store / "pixels.npy", pixels)
    command = [sys.executable, "-c", LOADED, model, str(store / "pixels.npy"), str(store / "found.npy")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    done = subprocess.run(command, capture_output=True, text=True, env=plain, check=False)
    assert done.returncode == 0, done.stderr
    (logits,) = Predictor(store / "models/tiny", [(0, 1)], COMPUTE).logits(prepared.images[:5])
    expected = TASKS[prepared.task].probabilities(logits, tiny_inputs(prepared).variant.strategy.loss)
    torch.testing.assert_close(torch.from_numpy(np.load(store / "found.npy")), expected, atol=1e-6, rtol=0)
    metadata = json.loads(done.stdout.splitlines()[-1])
    assert json.loads(metadata["runs"]) == ["fold0_seed1"]
    assert "stretch to 32 x 32" in metadata["preprocessing"]
    assert not list(Path(model).rglob("*pickle*"))


@contextmanager
def served(model: str) -> Iterator[str]:
    """Serve a model on the loopback interface; yield its address."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", model, "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + SECONDS
        while not answers(f"{address}/ping"):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def answers(address: str) -> bool:
    try:
        with opened(address) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def opened(request: str | urllib.request.Request) -> urllib.request.http.client.HTTPResponse:  # type: ignore[name-defined]
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60)


@pytest.mark.slow
def test_mlflow_can_serve_it(store: Path) -> None:
    prepared = tiny_prepared(store / "set")
    model = logged(store, prepared)
    pixels = prepared.images[:3].transpose(0, 3, 1, 2)
    body = json.dumps({"inputs": pixels.tolist()}).encode()
    with served(model) as address:
        request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
        with opened(request) as reply:
            found = np.array(json.loads(reply.read())["predictions"])
    expected = Predictor(store / "models/tiny", [(0, 1)], COMPUTE).answers(prepared.images[:3])
    np.testing.assert_allclose(found, expected, atol=1e-6)
