"""A name in `params.yaml` that is a shell command, a path or a template runs nothing and writes nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from medtransfer.study import item_of
from medtransfer.study.init import pipeline
from medtransfer.util.errors import UserError

from .conftest import Project

NAMES = ["x; touch ran #", "'$(touch ran)'", '"`touch ran`"', "x\ntouch ran", "../../ran", "a b", "é", "", "x@y z"]


def test_no_command_contains_a_name(root: Path) -> None:
    text = (root / "dvc.yaml").read_text(encoding="utf-8")
    for version in (text, pipeline(text)):
        for name, stage in YAML(typ="safe", pure=True).load(version)["stages"].items():
            command = stage.get("do", stage)["cmd"]
            assert "$" not in command.replace('"$DVC_STAGE"', ""), name
            assert ('"$DVC_STAGE"' in command) == ("foreach" in stage)


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_refuses_a_hostile_name_in_one_line(name: str) -> None:
    for stage in (name, f"train@{name}", f"../dvc.yaml:train@{name}"):
        with pytest.raises(UserError) as caught:
            item_of(stage)
        assert len(caught.value.problems) == 1
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("stage", ["lite0_frozen", "train@lite0_frozen", "../dvc.yaml:train@lite0_frozen"])
def test_a_stage_takes_its_name_from_that_of_dvc(stage: str) -> None:
    assert item_of(stage) == "lite0_frozen"


def test_dvc_runs_no_command_in_a_name(fresh: Project) -> None:
    hostile = ["x; touch ran #", '"$(touch ran)"']
    codes = [f"data/code/backbones/{name}.txt" for name in hostile]
    for name in ("data/checked.json", "data/code/weights.txt", *codes):
        fresh.write(name, "{}")
    params = YAML(typ="safe", pure=True).load(fresh.read("params.yaml"))
    params["backbones"] |= {name: {"model": "cnn_small", "weights": "none"} for name in hostile}
    with (fresh.folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    targets = [f"weights@{name}" for name in hostile]
    output = fresh.run("dvc", "repro", "--keep-going", "--single-item", *targets, fails=True)
    assert output.count("names match [a-z0-9_]+") >= len(hostile)
    assert not (fresh.folder / "ran").exists()
