"""A warm worker runs stage after stage, each in a clean process, and nothing of what it started outlives it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from medtransfer.engine.engines import open_engine
from medtransfer.engine.worker import Job, Outcome, Worker, run_job, stop_workers

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find processes")
MACHINE = "the machine cannot run it"
SCRIPT = 'python stage.py "$DVC_STAGE"'


@pytest.fixture(scope="module", autouse=True)
def stopped() -> Iterator[None]:
    yield
    stop_workers()


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def place(shared_place: Path) -> Path:
    """Return a folder whose stages one worker runs after another, as in a study; without a log."""
    (shared_place / "log").unlink(missing_ok=True)
    return shared_place


def job(folder: Path, command: str, stage: str = "train@a", silence: float = 60) -> Job:
    return Job(stage, command, str(folder), str(folder / "log"), {"OMP_NUM_THREADS": "1"}, silence)


def run(folder: Path, script: str, **options: object) -> tuple[Outcome, str]:
    (folder / "stage.py").write_text(script)
    (folder / "log").unlink(missing_ok=True)
    outcome = run_job(job(folder, SCRIPT, **options))  # type: ignore[arg-type]
    return outcome, (folder / "log").read_text()


IN_RUN = "from medtransfer.util.command import run\ndef main(): raise {}\nrun(main)"
"""A stage that ends in an error, as all stages do."""


@pytest.mark.parametrize(
    ("script", "code", "lost", "log"),
    [
        ("import os, sys\nprint(*sys.argv, os.environ['DVC_STAGE'], __name__)", 0, "", "train@a train@a __main__"),
        ("import sys\nsys.exit('error: no such file')", 1, "", "error: no such file\n"),
        ("raise ValueError('broken')", 1, "", "ValueError: broken"),
        ("import sys\nsys.exit(3)", 3, "", ""),
        ("import os\nos.kill(os.getpid(), 9)", None, "killed by SIGKILL", ""),
        (IN_RUN.format("OSError(28, 'No space left', 'x')"), 1, MACHINE, "error: x: No space left"),
        (IN_RUN.format("MemoryError"), 1, MACHINE, "error: out of memory"),
    ],
    ids=["done", "user's mistake", "bug", "exit code", "killed", "disk full", "memory"],
)
def test_an_outcome_says_whose_fault_it_is(place: Path, script: str, code: int | None, lost: str, log: str) -> None:
    outcome, output = run(place, script)
    assert (outcome.code, outcome.lost) == (code, lost), output
    assert log in output


def test_any_other_command_runs_in_a_shell(place: Path) -> None:
    assert run_job(job(place, 'echo "$DVC_STAGE" in $(pwd) && exit 4')).code == 4
    assert (place / "log").read_text() == f"train@a in {place}\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("python stage.py && exit 5", 5),
        ("python stage.py; exit 6", 6),
        ("LIMIT=7 python stage.py", 7),
        ("PYTHONPATH=src python stage.py", 8),
        ("python stage.py 9", 9),
    ],
)
def test_a_command_of_another_form_means_what_a_shell_takes_it_for(place: Path, command: str, code: int) -> None:
    (place / "src").mkdir(exist_ok=True)
    (place / "src" / "own.py").write_text("CODE = 8\n")
    script = "import os, sys\ntry:\n    from own import CODE\nexcept ImportError:\n    CODE = 0\n"
    (place / "stage.py").write_text(
        f"{script}sys.exit(int(os.environ.get('LIMIT', sys.argv[1:] and sys.argv[1] or CODE)))"
    )
    assert run_job(job(place, command)).code == code


@pytest.mark.parametrize("name", ['x"; touch ran #', "x' $(touch ran)", 'x" "y'])
def test_a_name_reaches_a_stage_as_one_word_and_no_shell(place: Path, name: str) -> None:
    (place / "stage.py").write_text("import sys\nprint(sys.argv[1:])")
    assert run_job(job(place, SCRIPT, stage=f"train@{name}")).code == 0
    assert (place / "log").read_text() == f"{[f'train@{name}']}\n"
    assert not (place / "ran").exists()


def test_stopping_starts_none_of_the_stages_that_wait(tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text(
        FAMILY + "open(sys.argv[1], 'w')\ntime.sleep(60)".replace("open", "import sys\nopen", 1)
    )
    with open_engine("local", 1) as workers:
        jobs = [job(tmp_path, SCRIPT, stage=f"train@{number}") for number in range(3)]
        futures = [workers.executor.submit(run_job, each) for each in jobs]
        deadline = time.monotonic() + 60
        while not (tmp_path / "train@0").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert futures[0].result().code is None
    assert all(each.cancelled() for each in futures[1:])
    assert not (tmp_path / "train@1").exists()


def test_a_stage_finds_nothing_of_the_one_before(place: Path) -> None:
    script = """
import os, random, signal, sys, threading
import numpy as np
state = [random.random(), np.random.random(), os.environ.get("LEFT"), signal.getsignal(signal.SIGTERM),
         len(os.listdir("/proc/self/fd")), "json.tool" in sys.modules, os.getpgid(0) == os.getpid()]
print(state[2:])
random.seed(0), np.random.seed(0), signal.signal(signal.SIGTERM, signal.SIG_IGN), open("left", "w")
os.environ["LEFT"] = "1"
import json.tool
os.chdir("/")
"""
    first, second = (run(place, script)[1] for _ in range(2))
    assert first == second
    assert first.startswith("[None, <Handlers.SIG_DFL: 0>, ")
    assert first.endswith(", False, True]\n")


def test_a_worker_forks_while_it_has_one_thread(place: Path) -> None:
    script = """
import os
tasks = f"/proc/{os.getppid()}/task"
print(*(open(f"{tasks}/{task}/comm").read() for task in os.listdir(tasks)))
"""
    threads = run(place, script)[1].split()
    assert [name.rstrip("3") for name in threads if name != "jemalloc_bg_thd"] == ["python"], (
        "jemalloc prepares for forks itself"
    )


def alive(processes: list[int]) -> list[int]:
    return [each for each in processes if psutil.pid_exists(each) and psutil.Process(each).status() != "zombie"]


def ended(processes: list[int], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while alive(processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(processes)


FAMILY = """
import os, subprocess, time
child = subprocess.Popen(["sleep", "60"])
open("pids.new", "w").write(f"{os.getppid()} {os.getpid()} {child.pid}")
os.rename("pids.new", "pids")
"""


def in_background(folder: Path, script: str, silence: float = 60) -> tuple[threading.Thread, list[Outcome], list[int]]:
    """Run a script in a thread with a worker of its own; return also its worker, itself and its child."""
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(run(folder, script, silence=silence)[0]))
    thread.start()
    deadline = time.monotonic() + 60
    while not (folder / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return thread, outcomes, [int(number) for number in (folder / "pids").read_text().split()]


@pytest.mark.parametrize("victim", [0, 1], ids=["worker", "stage"])
def test_a_killed_process_takes_all_that_it_started_with_it(tmp_path: Path, victim: int) -> None:
    thread, outcomes, family = in_background(tmp_path, FAMILY + "time.sleep(60)")
    os.kill(family[victim], signal.SIGKILL)
    thread.join(20)
    assert outcomes[0].code is None
    assert outcomes[0].lost == ("its worker was killed", "killed by SIGKILL")[victim]
    assert ended(family[:2] if victim == 0 else family[1:2])
    if victim == 0:
        assert ended(family), "the stage ends its group when its worker is gone"
    else:
        os.kill(family[2], signal.SIGKILL)


def test_a_stage_without_a_sign_of_life_is_ended(tmp_path: Path) -> None:
    script = FAMILY + "import signal\nos.kill(os.getpid(), signal.SIGSTOP)"
    thread, outcomes, family = in_background(tmp_path, script, silence=2.5)
    thread.join(20)
    assert outcomes == [Outcome(None, "no sign of life for 2.5 s", outcomes[0].seconds)]
    assert ended(family)


def test_a_stage_that_computes_for_long_is_not_hung_even_if_its_clock_is_off(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time\nnow = time.time\ntime.time = lambda: now() + 3600")
    (tmp_path / "stage.py").write_text("import time\ntime.sleep(4)\nprint(time.time())")
    off = replace(job(tmp_path, SCRIPT, silence=2.5), environment={"PYTHONPATH": str(tmp_path)})
    started = time.time()
    outcome = run_job(off)
    assert outcome.code == 0
    assert 4 <= outcome.seconds < time.time() - started + 1
    assert float((tmp_path / "log").read_text()) > started + 3600


def test_stopping_lets_a_stage_clean_up_and_ends_all(tmp_path: Path) -> None:
    script = FAMILY + "import atexit, signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
    thread, _, family = in_background(tmp_path, script + "atexit.register(lambda: open('clean', 'w'))\ntime.sleep(60)")
    stop_workers()
    thread.join(20)
    assert (tmp_path / "clean").exists()
    assert ended(family)


def test_a_worker_without_a_coordinator_ends(tmp_path: Path) -> None:
    worker = Worker(job(tmp_path, SCRIPT))
    worker.connection.close()
    assert worker.process.wait(30) == 0
