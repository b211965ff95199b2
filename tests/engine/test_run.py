"""A run commits what DVC would, tries again what was lost, and stops only what depends on a failure."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from medtransfer.engine.engines import open_engine
from medtransfer.engine.experiment import run_experiments
from medtransfer.engine.run import TRIES, reproduce
from medtransfer.engine.worker import Job, Outcome
from medtransfer.util.errors import UserError

from .simulated import write_study

ENGINE = "simulated:waiting"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a study with three variants, in which the test works."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    write_study(tmp_path / "study", 3)
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, study: Path) -> Counter[str]:
    """Return how often each stage has run."""
    import simulated

    counted: Counter[str] = Counter()
    monkeypatch.setattr(simulated.Waiting, "outcome", staticmethod(lambda job: counted.update([job.stage])))
    return counted


def outcomes(monkeypatch: pytest.MonkeyPatch, found: dict[str, list[Outcome | Exception]]) -> Counter[str]:
    """Let stages end so, one outcome for each time; then as usual."""
    import simulated

    ran: Counter[str] = Counter()

    def outcome(job: Job) -> Outcome | None:
        ran.update([job.stage])
        waiting = found.get(job.stage, [])
        if not waiting:
            return None
        each = waiting.pop(0)
        if isinstance(each, Exception):
            raise each
        return each

    monkeypatch.setattr(simulated.Waiting, "outcome", staticmethod(outcome))
    return ran


def dvc(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


ALL = {"compare", *(f"{kind}@v000{number}" for kind in ("train", "evaluate") for number in range(3))}


def test_the_lock_file_is_that_of_dvc_and_dvc_has_nothing_to_do(
    study: Path, ran: Counter[str], capfd: pytest.CaptureFixture[str]
) -> None:
    reproduce(2, engine=ENGINE)
    assert ran == Counter(ALL)
    ours = (study / "dvc.lock").read_text()
    assert "up to date" in dvc("repro")
    assert "up to date" in dvc("status")
    dvc("commit", "--force")  # DVC writes the entry of each stage
    assert (study / "dvc.lock").read_text() == ours
    capfd.readouterr()
    reproduce(2, engine=ENGINE)
    assert capfd.readouterr().out == "everything is up to date\n"
    assert ran == Counter(ALL)


def test_a_stage_that_always_runs_is_nothing_new(
    study: Path, ran: Counter[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """As `check` does in a study of the installed package."""
    pipeline = study / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("  compare:\n", "  compare:\n    always_changed: true\n"))
    for last in (False, True):
        reproduce(2, engine=ENGINE)
        assert capfd.readouterr().out.endswith("everything is up to date\n") == last
    assert ran == Counter([*ALL, "compare"])


def test_a_changed_line_runs_its_stages_alone(study: Path, ran: Counter[str]) -> None:
    reproduce(2, engine=ENGINE)
    ran.clear()
    params = study / "params.yaml"
    params.write_text(params.read_text().replace("{lr: 1e-05,", "{lr: 0.5,"))
    reproduce(2, engine=ENGINE)
    assert ran == Counter({"train@v0000", "compare"}), "the outs of train are the same bytes"
    assert "up to date" in dvc("status")


def test_deleted_outs_come_from_the_cache(study: Path, ran: Counter[str], capfd: pytest.CaptureFixture[str]) -> None:
    reproduce(2, engine=ENGINE)
    ran.clear()
    model = study / "train/v0001/model"
    model.unlink()
    (study / "dvc.lock").unlink()
    reproduce(2, engine=ENGINE)
    assert model.read_text() == "train of train@v0001"
    assert set(ran) == {f"evaluate@v000{number}" for number in range(3)}, "outs without a cache have no run-cache"
    assert "cached" in capfd.readouterr().err


def test_an_empty_folder_of_the_run_cache_is_nothing(study: Path, ran: Counter[str]) -> None:
    reproduce(2, ["train@v0000"], engine=ENGINE)
    (entry,) = (path for path in (study / ".dvc/cache/runs").rglob("*") if path.is_file())
    entry.unlink()
    (study / "dvc.lock").unlink()
    reproduce(2, ["train@v0000"], engine=ENGINE)
    assert ran == Counter({"train@v0000": 2})


def test_targets_are_run_with_what_is_upstream_of_them(study: Path, ran: Counter[str]) -> None:
    reproduce(2, ["evaluate@v0001"], engine=ENGINE)
    assert ran == Counter({"train@v0001", "evaluate@v0001"})
    with pytest.raises(UserError, match="no stage 'train@v1'; did you mean 'train@v"):
        reproduce(2, ["train@v1"], engine=ENGINE)


def test_a_lost_stage_is_tried_again_and_a_failed_one_is_not(
    study: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, list[Outcome | Exception]] = {
        "train@v0000": [Outcome(None, "killed by SIGKILL"), ConnectionError("the machine is gone")],
        "train@v0001": [Outcome(1)],
        "evaluate@v0002": [Outcome(None, "no sign of life")] * TRIES,
    }
    ran = outcomes(monkeypatch, found)
    with pytest.raises(UserError) as error:
        reproduce(2, engine=ENGINE)
    assert ran["train@v0000"] == 3
    assert ran["train@v0001"] == 1
    assert ran["evaluate@v0002"] == TRIES
    assert error.value.problems == [
        "train@v0001 failed; its output is in .medtransfer/logs/train@v0001.log",
        f"evaluate@v0002 failed (no sign of life, {TRIES} times); "
        "its output is in .medtransfer/logs/evaluate@v0002.log",
        "not run, because they depend on a failed stage: evaluate@v0001, compare",
    ]
    shown = capfd.readouterr().err
    assert "(killed by SIGKILL)" in shown
    assert "(ConnectionError: the machine is gone)" in shown
    reproduce(2, engine=ENGINE)
    assert "up to date" in dvc("status")


def test_outs_of_inputs_that_changed_meanwhile_are_not_committed(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import simulated

    changes = ["changed"]

    def outcome(job: Job) -> None:
        if job.stage == "train@v0002" and changes:
            (study / "input/data").write_text(changes.pop())

    monkeypatch.setattr(simulated.Waiting, "outcome", staticmethod(outcome))
    reproduce(1, engine=ENGINE)
    entry = (study / "dvc.lock").read_text().partition("train@v0002:")[2]
    reproduce(1, engine=ENGINE)
    assert (study / "dvc.lock").read_text().partition("train@v0002:")[2].startswith(entry[:200])
    assert "up to date" in dvc("status")


def test_a_missing_out_is_a_failure_in_one_line(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes(monkeypatch, {"train@v0001": [Outcome(0)]})
    with pytest.raises(UserError) as error:
        reproduce(2, engine=ENGINE)
    told = "train@v0001: output 'train/v0001' does not exist; its output is in .medtransfer/logs/train@v0001.log"
    assert error.value.problems[0] == told


def test_a_missing_input_fails_its_stage_alone(study: Path, ran: Counter[str]) -> None:
    pipeline = (study / "dvc.yaml").read_text()
    (study / "dvc.yaml").write_text(f"{pipeline}  other:\n    cmd: simulated\n    deps: [nothing]\n    outs: [more]\n")
    with pytest.raises(UserError) as error:
        reproduce(2, engine=ENGINE)
    (problem,) = error.value.problems
    assert problem.startswith("other: ")
    assert "No such file or directory" in problem
    assert str(study / "nothing") in problem
    assert ran == Counter(ALL)


def test_another_command_waits_for_what_a_running_stage_writes(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import simulated

    told: list[str] = []

    def outcome(job: Job) -> None:
        if job.stage == "train@v0000":
            for command in (["status", "evaluate@v0002"], ["repro", "--single-item", "train@v0000"]):
                done = subprocess.run(
                    [sys.executable, "-m", "dvc", *command], capture_output=True, text=True, check=False
                )
                told.append(done.stdout + done.stderr)

    monkeypatch.setattr(simulated.Waiting, "outcome", staticmethod(outcome))
    reproduce(1, engine=ENGINE)
    assert "evaluate@v0002" in told[0], "the repository is not locked while a stage runs"
    assert "is busy, it is being blocked by" in told[1]
    assert "medtransfer repro" in told[1]


def test_experiments_are_saved_one_for_each_value(
    study: Path, ran: Counter[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repro = partial(reproduce, 2, engine=ENGINE)
    with pytest.raises(UserError, match="not a git repository"):
        run_experiments(["common.seed=2"], repro)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester@example.org")
    git = partial(subprocess.run, check=True, capture_output=True)
    (study / ".dvc/config").write_text("")  # the study was made without git
    (study / ".gitignore").write_text("/train\n/cost\n/predictions\n/table\n.medtransfer\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "study"]):
        git(["git", *command])
    repro()
    ran.clear()
    before = (study / "params.yaml").read_text()
    with pytest.raises(UserError, match=r"^-S: .*v0009"):
        run_experiments(["variants.v0009.lr=1"], repro)
    assert (study / "params.yaml").read_text() == before
    assert run_experiments(["variants.v0001.lr=0.5,0.7"], repro, "mine") == ["mine-1", "mine-2"]
    assert ran == Counter({"train@v0001": 2, "compare": 2})
    listed = dvc("exp", "show", "--csv")
    assert "mine-1" in listed
    assert "0.5" in listed
    assert "lr: 0.7" in (study / "params.yaml").read_text()


def test_an_engine_is_named_by_the_user_alone(
    study: Path, ran: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medtransfer.engine.engines.configuration", lambda: tmp_path / "engine.toml")
    (tmp_path / "engine.toml").write_text('engine = "simulated:waiting"\n')
    reproduce(2)
    assert ran == Counter(ALL)
    for text, problem in (
        ("engine = ", "engine.toml: "),
        ('engine = "locl"', "no engine 'locl'; did you mean 'local'?"),
        ("[local]\nspeed = 2", "engine local has no option 'speed'; it has remote, clones, cpu_hour, gpu_hour"),
        ('engine = "nothing:at_all"', "engine nothing:at_all: No module named 'nothing'"),
    ):
        (tmp_path / "engine.toml").write_text(text)
        with pytest.raises(UserError) as error:
            open_engine(None, 2)
        assert problem in str(error.value)


def test_entries_that_another_command_writes_meanwhile_are_kept(
    study: Path, ran: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import simulated

    reproduce(2, engine=ENGINE)
    other = "  other@x:\n    cmd: echo\n"

    def outcome(job: Job) -> None:
        if job.stage == "train@v0001":
            (study / "dvc.lock").write_text((study / "dvc.lock").read_text() + other)

    monkeypatch.setattr(simulated.Waiting, "outcome", staticmethod(outcome))
    params = study / "params.yaml"
    params.write_text(params.read_text().replace("{lr: 2e-05,", "{lr: 0.5,"))
    reproduce(2, engine=ENGINE)
    text = (study / "dvc.lock").read_text()
    assert other in text
    assert "lr: 0.5" in text


def test_a_lock_file_of_another_form_is_left_to_dvc(study: Path, ran: Counter[str]) -> None:
    reproduce(2, engine=ENGINE)
    lock = study / "dvc.lock"
    lock.write_text(f"# merged by hand\n{lock.read_text()}")
    params = study / "params.yaml"
    params.write_text(params.read_text().replace("{lr: 2e-05,", "{lr: 0.5,"))
    reproduce(2, engine=ENGINE)
    assert lock.read_text().startswith("# merged by hand\n")
    assert "up to date" in dvc("status")
