"""Workers that share a DVC remote and no folder commit what `dvc repro` does."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from dvc.data_cloud import DataCloud
from dvc.repo import Repo
from pipeline.conftest import Project, stages_run
from torture.troubles import Undisturbed, copy_of, hashes, small_project, undisturbed_run

from medtransfer.engine import remote
from medtransfer.engine.run import reproduce
from medtransfer.engine.worker import Job, Outcome
from medtransfer.util.errors import UserError

from .simulated import dvc_repro, lock_of, write_scripts


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a study with a remote, in which the test works; its workers have clones elsewhere."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    folder = tmp_path / "study"
    write_scripts(folder, 3)
    with Repo(str(folder)) as repo, repo.config.edit() as settings:
        settings["remote"]["storage"] = {"url": str(tmp_path / "storage")}
    configure(tmp_path, monkeypatch)
    monkeypatch.chdir(folder)
    with Repo(".") as repo:
        repo.add("input")
    return folder


def configure(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "storage") -> None:
    text = f'[local]\nremote = "{name}"\nclones = "{folder / "clones"}"\n'
    (folder / "engine.toml").write_text(text)
    monkeypatch.setattr("medtransfer.engine.engines.configuration", lambda: folder / "engine.toml")


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each stage in a new process: a warm one takes seconds to start."""

    def run_cold(job: Job) -> Outcome:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | job.environment | {"PATH": path, "DVC_STAGE": job.stage}
        with Path(job.log).open("a") as log:
            done = subprocess.run(job.command, shell=True, cwd=job.folder, env=environment, stdout=log, check=False)
        return Outcome(done.returncode)

    for module in ("remote", "run"):
        monkeypatch.setattr(f"medtransfer.engine.{module}.run_job", run_cold)


def log_of(study: Path, stage: str) -> str:
    return (study / f".medtransfer/logs/{stage}.log").read_text()


@pytest.mark.usefixtures("cold")
def test_a_study_in_clones_is_that_of_dvc(study: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(study, tmp_path / "plain")
    dvc_repro(plain)
    reproduce(2)
    assert lock_of(study) == lock_of(plain)
    assert "up to date" in dvc_repro(study)
    assert f"train@v0000 in {tmp_path}/clones/" in log_of(study, "train@v0000")
    assert f"evaluate@v0001 in {tmp_path}/clones/" in log_of(study, "evaluate@v0001")
    assert log_of(study, "compare") == f"compare in {study}\n", "it reads metrics, which no cache has"
    metrics = study / "metrics/v0001"
    metrics.write_text(metrics.read_text() + " ")  # not a link into the cache, as plain DVC leaves it
    params = study / "params.yaml"
    params.write_text(params.read_text().replace("{lr: 2e-05,", "{lr: 0.5,"))
    script = study / "stages/stage.py"
    script.write_text(script.read_text().replace("of {sys.argv[1]}", "of the new {sys.argv[1]}"))
    reproduce(2)
    assert (study / "train/v0001").read_text() == "train of the new train@v0001", "not committed, but in force"
    assert (study / "train/v0000").read_text() == "train of train@v0000"
    assert "up to date" in dvc_repro(study)


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize(("failures", "tries"), [(5, 1), (10**6, 3)], ids=["for a while", "for ever"])
def test_a_remote_that_is_gone(
    study: Path, monkeypatch: pytest.MonkeyPatch, failures: int, tries: int, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.01,) * 6)
    odb, left = DataCloud.get_remote_odb, [failures]

    def flaky(self: DataCloud, *arguments: object, **options: object) -> object:
        if left[0]:
            left[0] -= 1
            raise ConnectionError("nobody there")
        return odb(self, *arguments, **options)

    monkeypatch.setattr(DataCloud, "get_remote_odb", flaky)
    if failures < 100:
        reproduce(1, ["train@v0000"])
        assert "again" not in capfd.readouterr().err
        return
    with pytest.raises(UserError) as error:
        reproduce(1, ["train@v0000"])
    told = f"train@v0000 failed (remote storage: ConnectionError: nobody there, {tries} times)"
    assert error.value.problems[0].startswith(told)


def test_a_remote_that_the_study_does_not_have_is_one_line(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, "nowhere")
    with pytest.raises(
        UserError, match=r"^remote nowhere: not in \.dvc/config; add it by `dvc remote add nowhere URL`$"
    ):
        reproduce(1)


def test_a_worker_with_other_code_refuses(tmp_path: Path) -> None:
    (tmp_path / "data/code").mkdir(parents=True)
    digest = tmp_path / "data/code/check.txt"
    job = Job("check", "medtransfer stage check", str(tmp_path), "log")
    digest.write_text(remote.script_digest(remote.shipped("stages") / "check.py") + "\n")
    assert remote._other_code(job, tmp_path) == ""
    digest.write_text("another one\n")
    assert "install the same version there" in remote._other_code(job, tmp_path)
    (tmp_path / "src/medtransfer").mkdir(parents=True)
    assert remote._other_code(job, tmp_path) == "", "a clone runs its own code, which has travelled"


@pytest.fixture(scope="module")
def plain(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Undisturbed]:
    """Return a project with real stages that has not run, and what `dvc repro` makes of it."""
    project = small_project(root, tmp_path_factory.mktemp("plain") / "project")
    return project, undisturbed_run(project, project.folder.parent / "after", "dvc repro")[1]


def repro_in_clones(project: Project, folder: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `medtransfer repro` with workers that share the remote `storage`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.setenv("RAY_worker_niceness", "0")
    (folder / "medtransfer").mkdir()
    text = f'[{engine}]\nremote = "storage"\nclones = "{folder / "clones"}"\n'
    (folder / "medtransfer/engine.toml").write_text(text)
    project.run("medtransfer", "repro", "-j", "2", "--engine", engine)
    cloned = {path.name for path in (folder / "clones").glob("*/models/*")}
    assert cloned == {"scratch", "few_shot"}, "they were trained in clones"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_real_study_in_clones_is_that_of_dvc(
    plain: tuple[Project, Undisturbed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    project = copy_of(plain[0], tmp_path / "project")
    project.run("dvc", "remote", "add", "storage", str(tmp_path / "storage"))
    repro_in_clones(project, tmp_path, engine, monkeypatch)
    assert hashes(project) == plain[1].hashes
    assert not stages_run(project.run("dvc", "repro"))


@contextmanager
def bucket(port: int) -> Iterator[None]:
    """Serve S3 on this machine."""
    with (Path(os.devnull)).open("w") as nowhere:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=nowhere, stderr=nowhere
        )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.2)
        yield
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_a_real_study_through_s3_is_that_of_dvc(
    plain: tuple[Project, Undisturbed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("moto", "dvc_s3", "boto3"):
        pytest.importorskip(package)
    import boto3

    for name, value in (("ACCESS_KEY_ID", "tester"), ("SECRET_ACCESS_KEY", "secret"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project = copy_of(plain[0], tmp_path / "project")
    project.run("dvc", "remote", "add", "storage", "s3://bucket/study")
    project.run("dvc", "remote", "modify", "storage", "endpointurl", f"http://127.0.0.1:{port}")
    with bucket(port):
        boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}").create_bucket(Bucket="bucket")
        repro_in_clones(project, tmp_path, "local", monkeypatch)
    assert hashes(project) == plain[1].hashes
    assert not stages_run(project.run("dvc", "repro"))
