"""A study of one's own runs with the installed wheel alone: DVC, experiments, a second study, remotes, upgrades."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from medtransfer.study.init import pipeline

from ..pipeline.conftest import STUDY, stages_run, write_weights
from .conftest import Installed, install

MOST_BYTES = 2_000_000


@pytest.fixture
def study(installed: Installed, tmp_path: Path) -> Path:
    """Return the folder of a tiny study, made by `medtransfer init`, that has not run."""
    installed.run(tmp_path, "medtransfer", "init", "mine", "--study", "phantom")
    (tmp_path / "mine/params.yaml").write_text(STUDY, encoding="utf-8")
    write_weights("cnn_small", tmp_path / "mine/pretrained.safetensors")
    installed.run(tmp_path / "mine", "git", "add", ".")
    installed.run(tmp_path / "mine", "git", "commit", "-qm", "a tiny study")
    return tmp_path / "mine"


def test_the_wheel_is_small_and_holds_what_a_study_needs(installed: Installed) -> None:
    assert installed.wheel.stat().st_size < MOST_BYTES
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    shipped = {name.partition("shipped/repository/")[2] for name in names if "shipped/repository/" in name}
    assert {"dvc.yaml", ".gitignore", ".dvc/config", "stages/train.py", "studies/own_images.yaml"} <= shipped
    assert {"medtransfer/py.typed", "medtransfer/report/assets/page.html", "fetal_phantom/__init__.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_an_editable_install_needs_nothing_but_the_lock_file(root: Path, tmp_path: Path) -> None:
    install(tmp_path / "environment", "--editable", str(root))
    (packages,) = (tmp_path / "environment").glob("lib/python*/site-packages")
    assert str(root / "src") in {path.read_text().strip() for path in packages.glob("*.pth")}


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


@pytest.mark.slow
def test_an_upgrade_runs_again_what_it_changes_and_the_plan_says_so(
    study: Path, installed: Installed, root: Path, upgraded: Callable[[str, str], None]
) -> None:
    assert (study / "dvc.yaml").read_text() == pipeline((root / "dvc.yaml").read_text())
    assert stages_run(installed.run(study, "dvc", "repro", "download")) == {"check", "download"}
    assert stages_run(installed.run(study, "dvc", "repro", "download")) == {"check"}
    module = "data/sources/phantom.py"
    text = (root / "src/medtransfer" / module).read_text()
    upgraded(module, text + "# a comment\n")
    assert "download" not in planned(installed, study)
    upgraded(module, text + "NUMBER = 3\n")
    (study / "data/code/version.txt").write_text("0.0.9\n")
    plan = planned(installed, study)
    assert plan["download"] == f"code of medtransfer {version('medtransfer')}, was 0.0.9"
    assert plan["train@scratch"] == "not run yet"
    assert stages_run(installed.run(study, "dvc", "repro", "download")) == {"check", "download"}
    upgraded(module, text)


def planned(installed: Installed, study: Path) -> dict[str, str]:
    """Return the stages that `medtransfer plan` lists, with the reasons."""
    lines = installed.run(study, "medtransfer", "plan").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| ")]
    return {row[1]: row[2] for row in rows[2:]}


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
    write_weights("cnn_small", tmp_path / "second/pretrained.safetensors")
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
