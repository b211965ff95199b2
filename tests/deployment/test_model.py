"""The model that a command names: by its variant or its folder, with all runs or one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medtransfer.deployment.model import find_model
from medtransfer.util.errors import UserError

CARD = {
    "variant": "frozen",
    "resize": "pad",
    "device": "cpu",
    "runs": [{"fold": 0, "seed": 3}, {"fold": 1, "seed": 3}],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "frozen"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(CARD))
    return tmp_path


def test_a_model_is_found_by_its_name_or_its_folder(root: Path) -> None:
    by_name, by_folder = find_model("frozen", root=root), find_model(str(root / "models" / "frozen"))
    assert by_name == by_folder
    assert (by_name.name, by_name.runs) == ("frozen", [(0, 3), (1, 3)])


def test_one_run_can_be_selected(root: Path) -> None:
    assert find_model("frozen", "fold1_seed3", root).runs == [(1, 3)]


@pytest.mark.parametrize(
    ("name", "run", "told"),
    [
        ("frozzen", None, "frozzen: neither a trained variant nor a folder of one; did you mean 'frozen'?"),
        ("frozen", "fold2_seed3", "--run: frozen has no run 'fold2_seed3'; did you mean 'fold1_seed3'?"),
    ],
)
def test_an_unknown_model_or_run_is_an_error_with_a_suggestion(
    root: Path, name: str, run: str | None, told: str
) -> None:
    with pytest.raises(UserError) as raised:
        find_model(name, run, root)
    assert raised.value.problems == [told]


def test_without_trained_models_the_error_says_how_to_train(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").touch()
    with pytest.raises(UserError, match="none is trained here yet: run `dvc repro`"):
        find_model("frozen", root=tmp_path)


def test_a_card_of_an_earlier_version_is_refused(root: Path) -> None:
    old = {key: value for key, value in CARD.items() if key != "resize"}
    (root / "models/frozen/card.json").write_text(json.dumps(old))
    with pytest.raises(UserError, match="its card lacks resize; train it again"):
        find_model("frozen", root=root)
