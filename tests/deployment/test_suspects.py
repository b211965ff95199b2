"""Labels that are least believed: by cross-validation of frozen features, or by the folds; never of test images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.model import find_model
from medtransfer.deployment.suspects import HEADER, cross_validated, write_suspects
from medtransfer.util.errors import UserError
from medtransfer.util.places import Places


def test_flipped_labels_are_found_by_cross_validation_without_dividing_groups() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(60) % 2, 4)
    groups, flipped = np.repeat(np.arange(60), 4), rng.random(240) < 0.08
    features = (rng.normal(size=(240, 6)) + 2 * truth[:, None]).astype(np.float32)
    labels = np.where(flipped, 1 - truth, truth)
    probabilities = cross_validated(features, labels, groups, 2)
    own = probabilities[np.arange(240), labels]
    least = np.argsort(own)[: flipped.sum()]
    assert flipped[least].mean() > 0.8
    leaked = np.repeat(rng.normal(size=(60, 20)), 4, axis=0).astype(np.float32)  # tells the group, and nothing else
    odd = np.repeat(rng.permutation(np.arange(60) % 2), 4)
    assert (cross_validated(leaked, odd, groups, 2).argmax(axis=1) == odd).mean() < 0.75


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


def test_a_backbone_that_has_seen_the_labels_is_refused(finished: Path, tmp_path: Path) -> None:
    model = find_model("tiny", root=finished)
    trained = replace(model, card=model.card | {"strategy": model.card["strategy"] | {"train": "all"}})
    with pytest.raises(UserError, match="has trained on the labels"):
        write_suspects(trained, Places(finished), tmp_path / "a.csv", 10)
