"""The places of a study are those of `dvc.yaml`."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from medtransfer.util.places import CACHE_VARIABLE, Places, cache_folder, repository, shipped, state_folder


def known(places: Places) -> set[str]:
    """Return all places, with `NAME` for the name of a variant, policy or backbone."""
    methods = inspect.getmembers(places, inspect.ismethod)
    named = [method("NAME") for name, method in methods if not name.startswith("_")]
    return {path.as_posix() for path in [*named, *vars(places).values()]}


def test_every_out_of_a_stage_is_a_place_or_in_one(root: Path) -> None:
    stages = YAML(typ="safe").load(root / "dvc.yaml")["stages"].values()
    outs = [out for stage in stages for out in stage.get("do", stage)["outs"]]
    paths = [next(iter(out)) if isinstance(out, dict) else out for out in outs]
    names = ("${key}", "${item}", "constant", "nearest_neighbour")
    for name in names:
        paths = [path.replace(name, "NAME") for path in paths]
    places = known(Places()) - {"."}
    missing = [path for path in paths if not {path, Path(path).parent.as_posix()} & places]
    assert missing == []


def test_places_are_below_their_root(tmp_path: Path) -> None:
    assert all(Path(path).is_relative_to(tmp_path) for path in known(Places(tmp_path)))


def test_an_experiment_shares_the_state_folder_of_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert (repository(), state_folder()) == (Path(), Path(".medtransfer"))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert (repository(), state_folder()) == (tmp_path, tmp_path / ".medtransfer")


def test_studies_share_the_users_cache_folder_or_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(CACHE_VARIABLE)
    assert cache_folder().is_relative_to(tmp_path)
    assert cache_folder().name == "medtransfer"
    monkeypatch.setenv(CACHE_VARIABLE, "/elsewhere")
    assert cache_folder() == Path("/elsewhere")
    monkeypatch.setenv(CACHE_VARIABLE, "here")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert cache_folder() == tmp_path / "here"


def test_shipped_files_are_those_of_the_repository(root: Path) -> None:
    assert shipped("dvc.yaml") == root / "dvc.yaml"
    assert shipped("stages") == root / "stages"
