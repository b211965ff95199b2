"""A study in a folder of its own: what is written, and what `check` depends on in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from medtransfer.study import load_study
from medtransfer.study.init import init_study, pipeline
from medtransfer.util.errors import UserError


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make git know a user, and commands start in an empty folder."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A User")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "user@example.org")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_study_is_a_clean_git_and_dvc_repository(root: Path) -> None:
    assert init_study(Path("mine"), "phantom", [])
    status = ["git", "-C", "mine", "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, check=True).stdout == b""
    assert Path("mine/params.yaml").read_bytes() == (root / "studies/phantom.yaml").read_bytes()
    for name in (".dvc/config", ".dvc/plots/curves.json", ".gitignore", ".dvcignore"):
        assert Path("mine", name).read_bytes() == (root / name).read_bytes()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    init_study(Path(), "phantom", [])
    assert (tmp_path / "dvc.yaml").is_file()


def test_stages_run_with_the_installed_package_and_are_otherwise_those_of_the_repository(root: Path) -> None:
    yaml = YAML(typ="safe")
    text = (root / "dvc.yaml").read_text(encoding="utf-8")
    theirs, ours = yaml.load(pipeline(text)), yaml.load(text)
    assert "stages/" not in str(theirs)
    assert "PYTHONPATH" not in str(theirs)
    check = theirs["stages"].pop("check")
    assert check["always_changed"]
    assert check["deps"] == ["params.yaml", "extensions"]
    del ours["stages"]["check"]
    for name, stage in theirs["stages"].items():
        mine, other = stage.get("do", stage), ours["stages"][name].get("do", ours["stages"][name])
        words = mine.pop("cmd").split()
        assert words[:3] == ["medtransfer", "stage", name]
        assert words[3:] == other.pop("cmd").split()[3:]
    assert theirs == ours


def test_paths_of_the_command_line_are_relative_to_the_folder_where_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "net.pth").touch()
    changes = ["data.folder=photos", "backbones.lite0.weights=net.pth", "study.title=photos"]
    init_study(Path("mine"), "own_images", changes)
    params = load_study(Path("mine/params.yaml")).params
    assert params.data.folder == str(tmp_path / "photos")
    assert params.backbones["lite0"].weights == str(tmp_path / "net.pth")
    assert params.study.title == "photos"
    init_study(Path("missing"), "own_images", ["data.folder=../photographs"])
    assert load_study(Path("missing/params.yaml")).params.data.folder == str(tmp_path.parent / "photographs")
    init_study(Path("other"), "own_images", ["data.folder=data/incoming"])
    assert load_study(Path("other/params.yaml")).params.data.folder == "data/incoming"


@pytest.mark.parametrize("existed", [True, False])
def test_after_a_failure_the_folder_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool
) -> None:
    if existed:
        Path("mine").mkdir()

    def fail(*_: object) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr("medtransfer.study.init._commit", fail)
    with pytest.raises(UserError, match="the disk is full"):
        init_study(Path("mine"), "phantom", [])
    left = {path.name for path in tmp_path.iterdir()} - {".medtransfer"}  # the cache of the tests
    assert left == ({"mine"} if existed else set())
    assert not existed or not list(Path("mine").iterdir())


def test_without_a_user_nothing_is_committed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    assert not init_study(Path("mine"), "phantom", [])
    assert Path("mine/dvc.yaml").is_file()
