"""Each engine runs a study of small scripts to the bytes of `dvc repro`, and a killed worker costs one more try."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from medtransfer.engine.engines import open_engine
from medtransfer.engine.run import reproduce
from medtransfer.util.errors import UserError

from .simulated import dvc_repro, lock_of, write_scripts


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a study with three variants, in which the test works."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("RAY_worker_niceness", "0")  # at Ray's 15, other tests next to it starve it
    folder = tmp_path / "study"
    write_scripts(folder, 3)
    monkeypatch.chdir(folder)
    return folder


def run_and_compare(study: Path, tmp_path: Path, engine: str) -> None:
    plain = shutil.copytree(study, tmp_path / "plain")
    dvc_repro(plain)
    reproduce(2, engine=engine)
    assert lock_of(study) == lock_of(plain)
    assert "up to date" in dvc_repro(study)


def kill_one(study: Path, which: int) -> Callable[[], None]:
    """Return a function that waits for a stage that runs, and kills its worker or itself."""

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not (study / "running").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        with suppress(ProcessLookupError):
            os.kill(int((study / "running").read_text().split()[which]), signal.SIGKILL)

    return kill


@contextmanager
def at_the_same_time(function: Callable[[], None]) -> Iterator[None]:
    from threading import Thread

    thread = Thread(target=function)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_an_engine_writes_what_dvc_writes(study: Path, tmp_path: Path, engine: str) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    run_and_compare(study, tmp_path, engine)
    assert not [each for each in psutil.Process().children(recursive=True) if "medtransfer" in " ".join(each.cmdline())]


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["stage", "worker"])
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_kill_costs_one_more_try(
    study: Path, tmp_path: Path, engine: str, which: int, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = shutil.copytree(study, tmp_path / "plain")
    (study / "slow").touch()
    with at_the_same_time(kill_one(study, which)):
        reproduce(2, engine=engine)
    assert "again " in capfd.readouterr().err
    dvc_repro(plain)
    assert lock_of(study) == lock_of(plain)


@pytest.mark.slow
def test_ray_spreads_a_study_over_two_nodes(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        (tmp_path / "engine.toml").write_text(f'engine = "ray"\n[ray]\naddress = "{cluster.address}"\n')
        monkeypatch.setattr("medtransfer.engine.engines.configuration", lambda: tmp_path / "engine.toml")
        with open_engine(None, "auto") as workers:
            assert workers.slots == 2
        plain = shutil.copytree(study, tmp_path / "plain")
        dvc_repro(plain)
        reproduce("auto")
        assert lock_of(study) == lock_of(plain)
    finally:
        cluster.shutdown()


def test_submitit_runs_stages_as_jobs(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    (tmp_path / "engine.toml").write_text('[slurm]\ncluster = "local"\nparameters = {timeout_min = 5}\n')
    monkeypatch.setattr("medtransfer.engine.engines.configuration", lambda: tmp_path / "engine.toml")
    run_and_compare(study, tmp_path, "slurm")


SLURM = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort=16917
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=17101 CPUs=1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=17102 CPUs=1
PartitionName=debug Nodes=n1,n2 Default=YES State=UP
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start a Slurm of two nodes on this machine; munge, by which they know each other, must run already."""
    if shutil.which("slurmctld") is None or os.geteuid() or subprocess.run(["munge", "-n"], check=False).returncode:
        pytest.skip("needs root, slurm-wlm and a running munged")
    folder = tmp_path / "slurm"
    for name in ("state", "spool_n1", "spool_n2"):
        (folder / name).mkdir(parents=True)
    (folder / "slurm.conf").write_text(SLURM.format(host=socket.gethostname().partition(".")[0], folder=folder))
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    daemons = [
        subprocess.Popen([*command, "-D"], stderr=subprocess.DEVNULL)
        for command in (["slurmctld"], ["slurmd", "-N", "n1"], ["slurmd", "-N", "n2"])
    ]
    deadline = time.monotonic() + 30
    while b"2   idle" not in subprocess.run(["sinfo"], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline, (folder / "slurmctld.log").read_text()
        time.sleep(0.2)
    yield
    for daemon in daemons[::-1]:
        daemon.terminate()
        daemon.wait(20)


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_slurm_runs_a_study_on_two_nodes(study: Path, tmp_path: Path) -> None:
    run_and_compare(study, tmp_path, "slurm")
    nodes = {path.name for path in (study / ".medtransfer/jobs").iterdir()}
    assert nodes, "what submitit writes is there, for whoever asks why a job failed"
    deadline = time.monotonic() + 30
    while (left := subprocess.run(["squeue", "--noheader"], capture_output=True, check=True).stdout) != b"":
        assert time.monotonic() < deadline, left
        time.sleep(0.5)


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="this machine has Slurm")
def test_a_machine_without_slurm_is_one_line(study: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(UserError, match=r"^slurm: "):
        reproduce(1, engine="slurm")
