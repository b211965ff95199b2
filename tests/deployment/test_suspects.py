"""Labels that are least believed: by cross-validation of frozen features, or by the folds; never of test images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import tiny_findings, tiny_inputs, tiny_numbers

from medtransfer.data.corrections import correct_labels
from medtransfer.data.prepared import Prepared
from medtransfer.data.targets import TARGETS
from medtransfer.deployment.model import Model, find_model
from medtransfer.deployment.suspects import HEADER, cross_validated, write_suspects
from medtransfer.models.heads.logistic import class_probabilities
from medtransfer.training.variant import train_variant
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places


def test_flipped_labels_are_found_by_cross_validation_without_dividing_groups() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(60) % 2, 4)
    groups, flipped = np.repeat(np.arange(60), 4), rng.random(240) < 0.08
    features = (rng.normal(size=(240, 6)) + 2 * truth[:, None]).astype(np.float32)
    labels = np.where(flipped, 1 - truth, truth)

    def judged(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return cross_validated(
            features, groups, labels, lambda rows: class_probabilities(features[rows], labels[rows], 2)
        )

    probabilities = judged(features, labels)
    own = probabilities[np.arange(240), labels]
    least = np.argsort(own)[: flipped.sum()]
    assert flipped[least].mean() > 0.8
    leaked = np.repeat(rng.normal(size=(60, 20)), 4, axis=0).astype(np.float32)  # tells the group, and nothing else
    odd = np.repeat(rng.permutation(np.arange(60) % 2), 4)
    assert (judged(leaked, odd).argmax(axis=1) == odd).mean() < 0.75


def test_the_table_leaves_test_images_alone(finished: Path, tmp_path: Path) -> None:
    model = find_model("tiny", root=finished)
    frozen = replace(model, card=model.card | {"strategy": model.card["strategy"] | {"train": "head"}})
    judged, _ = write_suspects(frozen, Places(finished), tmp_path / "a.csv", 10)
    prepared = Prepared(finished / "data/prepared")
    table = prepared.table.set_index("path")
    found = pd.read_csv(tmp_path / "a.csv")
    assert list(found) == HEADER
    assert len(found) == 10
    assert judged == (table["split"] != "test").sum()
    assert not (table.loc[found["path"], "split"] == "test").any()
    assert (table.loc[found["path"], "label"].to_numpy() == found["label"].to_numpy()).all()
    assert found["corrected"].isna().all()
    assert (tmp_path / "a.png").stat().st_size > 1000


def frozen_model(prepared: Prepared, folder: Path, monkeypatch: pytest.MonkeyPatch, **strategy: Any) -> Model:
    monkeypatch.setenv("DVC_ROOT", str(folder))
    inputs = replace(tiny_inputs(prepared, epochs=1, **strategy), seeds=[0])
    train_variant(inputs, folder / "models/tiny", folder / "cost.json", lambda *_: None)
    model = find_model("tiny", root=folder)
    return replace(model, card=model.card | {"strategy": model.card["strategy"] | {"train": "head"}})


def test_each_finding_is_judged_and_the_corrections_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = tiny_findings(tmp_path)
    model = frozen_model(prepared, tmp_path, monkeypatch, loss="binary_cross_entropy")
    judged, _ = write_suspects(model, Places(tmp_path), tmp_path / "a.csv", 1000)
    found = pd.read_csv(tmp_path / "a.csv").set_index("path")
    labels = prepared.table.set_index("path")["label"]
    assert judged == len(found) == (prepared.table["split"] != "test").sum()
    for path, row in found.iterrows():
        own, other = (set(text.split("|")) - {"no finding"} for text in (row["label"], row["suggested"]))
        assert row["label"] == labels[path]
        assert len(own ^ other) == 1
    edited = found.assign(corrected=found["suggested"]).head(3)
    edited.to_csv(tmp_path / "edited.csv")
    table = prepared.table[["path", "label"]]
    corrected, _, about = correct_labels(table, tmp_path / "edited.csv", TARGETS["findings"])
    assert about["changed"] == 3
    assert corrected.set_index("path").loc[edited.index, "label"].tolist() == edited["suggested"].tolist()


def test_numbers_far_from_their_prediction_are_listed_first_and_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = tiny_numbers(tmp_path)
    model = frozen_model(prepared, tmp_path, monkeypatch, loss="l1")
    write_suspects(model, Places(tmp_path), tmp_path / "a.csv", 5)
    found = pd.read_csv(tmp_path / "a.csv", dtype=str)
    rows = prepared.table.reset_index().set_index("path").loc[found["path"], "index"]
    assert np.allclose(found["label"].astype(float), prepared.values[rows, 0])
    margins = found["margin"].astype(float)
    assert margins.is_monotonic_increasing
    raw = pd.DataFrame({"path": found["path"], "label": [f"{number:.10f}" for number in prepared.values[rows, 0]]})
    found.assign(corrected="50.5").to_csv(tmp_path / "edited.csv", index=False)
    corrected, _, about = correct_labels(raw, tmp_path / "edited.csv", TARGETS["numbers"])
    assert about["changed"] == 5
    assert set(corrected["label"]) == {"50.5"}


def test_masks_are_refused(of_masks: Path, tmp_path: Path) -> None:
    model = find_model("tiny", root=of_masks)
    frozen = replace(model, card=model.card | {"strategy": model.card["strategy"] | {"train": "head"}})
    with pytest.raises(UserError, match="judges labels of images, which segmentation does not have"):
        write_suspects(frozen, Places(of_masks), tmp_path / "a.csv", 10)


def test_a_backbone_that_has_seen_the_labels_is_refused(finished: Path, tmp_path: Path) -> None:
    model = find_model("tiny", root=finished)
    trained = replace(model, card=model.card | {"strategy": model.card["strategy"] | {"train": "all"}})
    with pytest.raises(UserError, match="has trained on the labels"):
        write_suspects(trained, Places(finished), tmp_path / "a.csv", 10)
