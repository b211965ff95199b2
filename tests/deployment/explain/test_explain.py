"""The explanation of a trained variant: the choice of images, the sheet, the scores, the untrained network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, tiny_inputs, tiny_masked
from explained import explained_study
from scored import predictions_frame

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.explain.explain import (
    cases_of,
    choose_cases,
    choose_masked,
    explain_variant,
    untrained,
)
from medtransfer.deployment.explain.explainer import open_explainer
from medtransfer.deployment.trained import load_run, predict_variant
from medtransfer.study import Explain
from medtransfer.tasks.classes.predictions import ClassPredictions
from medtransfer.training.model_files import read_card
from medtransfer.training.variant import train_variant
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places

FIGURES = {f"{name}{of}" for name in ("pointing_game", "energy_inside") for of in ("", "_untrained", "_gain")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a prepared set with masks, a small trained network, and its test predictions."""
    root = tmp_path_factory.mktemp("explain")
    prepared = tiny_masked(root)
    inputs = tiny_inputs(prepared, epochs=2)
    train_variant(inputs, root / "models" / "tiny", root / "cost.json", lambda *_: None)
    rows = pd.concat(predict_variant(inputs.variant, prepared, root / "models" / "tiny", COMPUTE))
    rows.to_parquet(root / "predictions.parquet")
    return root


def explain(place: Path, sheet: Path, **section: Any) -> Any:
    test = ClassPredictions(pd.read_parquet(place / "predictions.parquet")).of_role("test")
    return explain_variant(explained_study(**section), "tiny", test, Places(place), COMPUTE, sheet)


def test_explanations_are_bit_identical_twice(place: Path, tmp_path: Path) -> None:
    methods = ["grad_cam", "ablation_cam", "occlusion"]
    first = explain(place, tmp_path / "first.png", methods=methods, scored=6)
    second = explain(place, tmp_path / "second.png", methods=methods, scored=6)
    assert first == second
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert first["run"] == "fold0_seed0"
    assert first["maps"]["images"] == 6
    assert 1 < first["maps"]["groups"] <= 6
    assert list(first["maps"]["methods"]) == methods
    for figures in first["maps"]["methods"].values():
        assert set(figures) == FIGURES | {"likeness_to_untrained"}
        for name in ("pointing_game", "energy_inside"):
            gain = figures[name]["value"] - figures[f"{name}_untrained"]["value"]
            assert figures[f"{name}_gain"]["value"] == pytest.approx(gain)
            assert 0 <= figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"] <= 1


def test_named_images_are_on_the_sheet(place: Path, tmp_path: Path) -> None:
    test = ClassPredictions(pd.read_parquet(place / "predictions.parquet")).of_role("test")
    names = list(test.images["path"])[:2]
    found = explain(place, tmp_path / "sheet.png", images=names, methods=["grad_cam"], scored=1)
    assert [case["path"] for case in found["sheet"]["chosen"]] == names


def test_if_every_image_is_right_the_sheet_has_no_wrong_ones(place: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(place / "predictions.parquet")
    for number, name in enumerate(name for name in table if name.startswith("p_")):
        table[name] = (table["label"] == number).astype("float32")
    test = ClassPredictions(table).of_role("test")
    study = explained_study(methods=["grad_cam"], scored=1)
    found = explain_variant(study, "tiny", test, Places(place), COMPUTE, tmp_path / "sheet.png")
    assert found["sheet"]["right"]
    assert found["sheet"]["wrong"] == []
    assert (tmp_path / "sheet.png").exists()


def test_without_masks_there_is_a_sheet_and_no_scores(place: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(place, bare)
    about = bare / "data" / "prepared" / "dataset.json"
    about.write_text(about.read_text(encoding="utf-8").replace('"masks"', '"no masks"'), encoding="utf-8")
    assert explain(bare, tmp_path / "sheet.png", methods=["grad_cam"])["maps"] is None
    assert (tmp_path / "sheet.png").exists()


def test_networks_that_share_a_body_can_both_be_opened_and_are_unchanged(place: Path) -> None:
    model = place / "models" / "tiny"
    first, second = load_run(model, 0, 0), load_run(model, 0, 1)
    second.body = first.body
    before = list(first.state_dict())
    pixels, classes = Prepared(place / "data" / "prepared").images[:2], np.array([0, 1])
    maps = [open_explainer(each, read_card(model), None, "here", COMPUTE) for each in (first, second, first)]
    assert list(first.state_dict()) == list(second.state_dict()) == before
    one, other, again = (explainer.maps("grad_cam", pixels, classes) for explainer in maps)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_untrained_network_has_other_weights_but_the_same_shapes_and_normalisation(place: Path) -> None:
    model = place / "models" / "tiny"
    trained = load_run(model, 0, 0)
    first, second, other = (untrained(read_card(model), trained, 0, seed) for seed in (0, 0, 1))
    states = [network.state_dict() for network in (trained, first, second, other)]
    assert [name for name in states[0] if states[0][name].shape != states[1][name].shape] == []
    assert torch.equal(trained.normalise.mean, first.normalise.mean)
    weights = [name for name in states[0] if name.endswith("weight")]
    for name in weights:
        assert torch.equal(states[1][name], states[2][name])
        assert not torch.equal(states[1][name], states[3][name])
        assert not torch.equal(states[1][name], states[0][name])


CASES = pd.DataFrame(
    [("a", 0, 0, 0.6), ("b", 0, 0, 0.9), ("c", 0, 1, 0.7), ("d", 1, 0, 0.5), ("e", 1, 0, 0.8), ("f", 0, 0, 0.9)],
    columns=["path", "label", "predicted", "probability"],
)


def names(found: dict[str, pd.DataFrame]) -> dict[str, list[str]]:
    return {title: list(group["path"]) for title, group in found.items()}


def test_the_most_confident_right_and_wrong_images_of_each_class_are_chosen_with_ties_by_name() -> None:
    assert names(choose_cases(CASES, Explain())) == {"right": ["b"], "wrong": ["c", "e"]}
    assert names(choose_cases(CASES, Explain(of_each=2))) == {"right": ["b", "f"], "wrong": ["c", "e", "d"]}


def test_named_images_keep_their_order() -> None:
    assert names(choose_cases(CASES, Explain(images=["d", "a"]))) == {"chosen": ["d", "a"]}


def test_an_unknown_image_is_an_error() -> None:
    with pytest.raises(UserError, match=r"explain\.images: no test image 'bb'; did you mean 'b'\?"):
        choose_cases(CASES, Explain(images=["a", "bb"]))


def test_a_case_has_the_most_probable_class_and_its_probability() -> None:
    images = pd.DataFrame({"path": ["a", "b"], "group": ["a", "b"], "label_index": [2, 0]})
    scores = np.array([[0.1, 0.2, 0.7], [0.25, 0.5, 0.25]])
    test = ClassPredictions(predictions_frame(images, scores, ["x", "y", "z"], 0, 0, "test"))
    first, second = cases_of(test).to_dict("records")
    assert first == {"path": "a", "label": 2, "predicted": 2, "probability": pytest.approx(0.7)}
    assert (second["label"], second["predicted"]) == (0, 1)


def test_only_rows_with_a_mask_are_drawn_up_to_a_limit() -> None:
    masks = np.zeros((10, 2, 2), np.uint8)
    masks[[1, 4, 5, 8], 0, 0] = 1
    rows = np.array([0, 1, 4, 5, 9])
    assert choose_masked(masks, rows, 9, np.random.default_rng(0)).tolist() == [1, 4, 5]
    some = choose_masked(masks, rows, 2, np.random.default_rng(0)).tolist()
    assert len(some) == 2
    assert set(some) < {1, 4, 5}
    assert choose_masked(masks, rows, 2, np.random.default_rng(0)).tolist() == some
    assert not len(choose_masked(masks, np.array([0]), 2, np.random.default_rng(0)))
