"""A study of one's own runs with the installed wheel alone: DVC, experiments, a second study, remotes, upgrades."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from medtransfer.study.init import pipeline

from ..pipeline.conftest import STUDY, stages_run
from .conftest import Installed

MOST_BYTES = 2_000_000


@pytest.fixture
def study(installed: Installed, tmp_path: Path) -> Path:
    """Return the folder of a tiny study, made by `medtransfer init`, that has not run."""
    installed.run(tmp_path, "medtransfer", "init", "mine", "--study", "phantom")
    (tmp_path / "mine/params.yaml").write_text(STUDY, encoding="utf-8")
    installed.run(tmp_path / "mine", "git", "commit", "-aqm", "a tiny study")
    return tmp_path / "mine"


def test_the_wheel_is_small_and_holds_what_a_study_needs(installed: Installed) -> None:
    assert installed.wheel.stat().st_size < MOST_BYTES
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    shipped = {name.partition("shipped/repository/")[2] for name in names if "shipped/repository/" in name}
    assert {"dvc.yaml", ".gitignore", ".dvc/config", "stages/train.py", "studies/own_images.yaml"} <= shipped
    assert {"medtransfer/py.typed", "medtransfer/report/assets/page.html", "fetal_phantom/__init__.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_code_digests_of_the_wheel_are_those_of_the_repository(installed: Installed, root: Path) -> None:
    program = (
        "from medtransfer.util.digests import script_digest; from medtransfer.util.places import shipped;"
        "[print(path.name, script_digest(path)) for path in sorted(shipped('stages').glob('*.py'))]"
    )
    of_wheel = installed.run(installed.home, str(installed.folder / "bin/python"), "-c", program)
    own = installed.run(
        installed.home, str(installed.folder / "bin/python"), "-c", program, PYTHONPATH=str(root / "src")
    )
    assert len(of_wheel.splitlines()) == len(list((root / "stages").glob("*.py")))
    assert of_wheel == own


def test_init_makes_a_committed_repository_whose_check_runs_each_time(
    study: Path, installed: Installed, root: Path, upgraded: Callable[[str, str], None]
) -> None:
    assert (study / "dvc.yaml").read_text() == pipeline((root / "dvc.yaml").read_text())
    assert installed.run(study, "git", "status", "--porcelain") == ""
    assert stages_run(installed.run(study, "dvc", "repro", "prepare")) == {"check", "download", "prepare"}
    assert stages_run(installed.run(study, "dvc", "repro", "prepare")) == {"check"}
    plan = installed.run(study, "medtransfer", "plan")
    assert "| train@scratch" in plan
    assert "| prepare " not in plan
    upgraded("data/audit/page.py", (root / "src/medtransfer/data/audit/page.py").read_text() + "\nNUMBER = 3\n")
    plan = installed.run(study, "medtransfer", "plan")
    assert "| prepare         | code " in plan
    assert "| download" not in plan
    assert stages_run(installed.run(study, "dvc", "repro", "prepare")) == {"check", "prepare"}
    upgraded("data/audit/page.py", (root / "src/medtransfer/data/audit/page.py").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine", "--study", "phantm"], "no study 'phantm'; did you mean 'phantom'?"),
        (["full"], "full exists and is not an empty folder; choose another name"),
        (["mine", "-S", "data.fodler=x"], "data.fodler: unknown key"),
        (["mine", "-S", "backbones.resnet18={weights: DEFALT}"], "backbones.resnet18: weights: no weights 'DEFALT'"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    installed: Installed, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    output = installed.run(tmp_path, "medtransfer", "init", *arguments, fails=True)
    assert message in output
    assert len(output.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.slow
def test_a_study_runs_is_shared_and_pulled(installed: Installed, study: Path, tmp_path: Path) -> None:
    installed.run(study, "dvc", "repro")
    installed.run(study, "git", "add", "--all")
    installed.run(study, "git", "commit", "-qm", "results")
    assert installed.run(study, "medtransfer", "plan") == "Everything is up to date.\n"
    assert "everything is up to date" in installed.run(study, "medtransfer", "repro", "-j", "2")
    ran = stages_run(installed.run(study, "dvc", "exp", "run", "-S", "strategies.frozen.lr=0.01"))
    assert ran == {"check", "train@frozen", "evaluate@frozen", "explain@frozen", "compare"}
    assert "frozen" in installed.run(study, "dvc", "metrics", "diff", "--md")
    installed.run(study, "dvc", "plots", "show")
    assert (study / "dvc_plots/index.html").is_file()
    installed.run(study, "git", "commit", "-qam", "another rate")

    rows = sorted((installed.home / "cache/medtransfer/features").glob("*/rows.bin"))
    times = [path.stat().st_mtime_ns for path in rows]
    assert rows
    installed.run(tmp_path, "medtransfer", "init", "second", "--study", "phantom")
    (tmp_path / "second/params.yaml").write_text(STUDY.replace("name: tiny", "name: second"), encoding="utf-8")
    installed.run(tmp_path / "second", "medtransfer", "repro", "-j", "2")
    assert sorted((installed.home / "cache/medtransfer/features").glob("*/rows.bin")) == rows
    assert [path.stat().st_mtime_ns for path in rows] == times
    tables = [pd.read_csv(folder / "metrics/comparison.csv") for folder in (study, tmp_path / "second")]
    assert set(tables[0]["variant"]) == set(tables[1]["variant"])

    installed.run(study, "dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    installed.run(study, "git", "commit", "-qam", "a remote")
    installed.run(study, "dvc", "push")
    installed.run(tmp_path, "git", "clone", "-q", str(study), "clone")
    installed.run(tmp_path / "clone", "dvc", "pull")
    assert stages_run(installed.run(tmp_path / "clone", "dvc", "repro")) == {"check"}
    assert (tmp_path / "clone/report/index.html").read_bytes() == (study / "report/index.html").read_bytes()


def test_clean_deletes_what_a_removed_variant_left(installed: Installed, study: Path) -> None:
    lock = "schema: '2.0'\nstages:\n"
    for name in ("train@scratch", "train@gone"):
        folder = study / "models" / name.partition("@")[2]
        folder.mkdir(parents=True)
        (folder / "card.json").write_text("{}")
        lock += f"  {name}:\n    cmd: x\n    outs:\n    - path: {folder.relative_to(study)}\n      md5: 0.dir\n"
    (study / "dvc.lock").write_text(lock, encoding="utf-8")
    listed = installed.run(study, "medtransfer", "clean", "--dry-run")
    assert listed == "would delete train@gone: models/gone\n"
    assert (study / "models/gone").exists()
    assert installed.run(study, "medtransfer", "clean") == "deleted train@gone: models/gone\n"
    assert not (study / "models/gone").exists()
    assert (study / "models/scratch").exists()
    text = (study / "dvc.lock").read_text()
    assert "train@scratch" in text
    assert "train@gone" not in text
    assert "nothing to delete" in installed.run(study, "medtransfer", "clean")


@pytest.mark.parametrize("command", [["plan"], ["repro"], ["clean"]])
def test_outside_a_study_a_command_says_where_to_go(installed: Installed, tmp_path: Path, command: list[str]) -> None:
    output = installed.run(tmp_path, "medtransfer", *command, fails=True)
    assert output == (
        "error: dvc.yaml: no such file; change to the folder of a study, or create one with `medtransfer init`\n"
    )


def test_without_git_init_says_so(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/medtransfer").symlink_to(installed.folder / "bin/medtransfer")
    output = installed.run(tmp_path, "medtransfer", "init", "mine", fails=True, PATH=str(tmp_path / "bin"))
    assert output == "error: git is not installed; a study is a git repository: install git, then run again\n"
    assert not shutil.which("git", path=str(tmp_path / "bin"))
