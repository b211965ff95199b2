"""MLflow servers that refuse, stall, lie or die, and what a stage and `medtransfer log` make of them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from unittest.mock import patch

from medtransfer.tracking import follower, tracker
from medtransfer.tracking.variant_log import VariantLog, log_variant
from medtransfer.util.files import write_json
from medtransfer.util.processes import process_name

MODES = ("refuses", "stalls", "closes", "fails", "is cut off", "no JSON", "empty JSON", "other JSON", "redirects")
STALL_SECONDS = 4
BOUNDS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
BODIES = {
    "no JSON": b"<html>sign in</html>",
    "empty JSON": b"{}",
    "other JSON": b'{"experiment": {"experiment_id": [], "name": 7}, "run": {"info": null}, "runs": "x"}',
    "is cut off": b'{"experiment": {"exp',
}


@contextmanager
def faulty_server(mode: str) -> Iterator[str]:
    """Serve at an address on this machine; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if mode == "stalls":
                time.sleep(STALL_SECONDS)
            if mode in ("stalls", "closes"):
                self.connection.close()
                return
            body = BODIES.get(mode, b"")
            self.send_response({"fails": 500, "redirects": 302}.get(mode, 200))
            self.send_header("Location", self.path)
            self.send_header("Content-Length", str(len(body) + 1000 * (mode == "is cut off")))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    if mode == "refuses":
        yield "http://127.0.0.1:9"
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def new_store(folder: Path) -> Path:
    """Create MLflow's database in a folder."""
    with patch.dict(os.environ, {"DVC_ROOT": str(folder)}):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        VariantLog("template", "none", process_name(), {}).start({}, "none", "none")
    return folder / "mlflow.db"


def server_fault(folder: Path, store: Path, seed: int) -> str:
    """Log a run to a faulty server, at the cost of one warning; then log it again to a store, where it is once."""
    random = Random(seed)
    mode, epochs, fails = random.choice(MODES), random.randrange(1, 40), random.random() < 0.3
    where = f"seed {seed}: the server {mode}, {epochs} epochs"
    shutil.copyfile(store, folder / "mlflow.db")
    with patch.dict(os.environ, {"DVC_ROOT": str(folder), **BOUNDS}):
        for name in ("MEDTRANSFER_TRACKING", "MLFLOW_TRACKING_URI"):
            os.environ.pop(name, None)
        with faulty_server(mode) as address, patch.dict(os.environ, {"MLFLOW_TRACKING_URI": address}):
            spool = tracker.spool_folder()
            with patch.object(tracker, "ensure_follower"):
                seconds = _stage(epochs, fails)
            assert seconds < 2, where
            with patch.object(follower, "IDLE_SECONDS", 0.3):
                follower.follow(spool)
            assert not tracker.waiting(spool), where
            told = (spool / tracker.WARNINGS).read_text(encoding="utf-8")
            assert told.startswith("warning: MLflow: "), f"{where}: {told}"
            assert told.count("\n") == 1, f"{where}: {told}"
            assert "`medtransfer log variant` logs it again" in told, f"{where}: {told}"
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        _write_trained(folder, epochs)
        log_variant("study", "variant", folder)
    with sqlite3.connect(folder / "mlflow.db") as connection:
        found = connection.execute("select name, status from runs where name like 'variant%' order by name").fetchall()
    assert found == [("variant", "FINISHED"), ("variant fold0_seed0", "FINISHED")], f"{where}: {found}"
    return where


def _stage(epochs: int, fails: bool) -> float:
    """Log as a stage does, which may end in an error; return its seconds."""
    started = time.monotonic()
    with suppress(ArithmeticError), tracker.Tracker("study", "variant") as log:
        log.start({"model": "cnn_small"}, "inputs", "data")
        for number in range(epochs):
            log.epoch(0, 0, {"epoch": number, "train_loss": 1.0})
        if fails:
            raise ArithmeticError  # the stage's own, which the tracker has to see
    return time.monotonic() - started


def _write_trained(folder: Path, epochs: int) -> None:
    """Write what training leaves of a variant, as far as it is logged."""
    model = folder / "models" / "variant"
    model.mkdir(parents=True)
    described = {"model": "cnn_small", "backbone": {}, "strategy": {}, "augmentation": {}, "inputs": "inputs"}
    write_json(model / "card.json", described | {"data": {"pixels_sha256": "data"}})
    rows = "".join(f"0,0,{number},1.0\n" for number in range(epochs))
    (model / "history.csv").write_text(f"fold,seed,epoch,train_loss\n{rows}", encoding="utf-8")
