"""Shortcuts: found if planted, and not in random images or because of siblings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from medtransfer.data.audit.shortcuts import ALL, LEAST_GROUPS, STRONG, BalancedAccuracy, Shortcut, find_shortcut


def table_of(groups: int, classes: int, images: int = 1, seed: int = 0) -> tuple[pd.DataFrame, pd.Series, np.ndarray]:
    """Make a table of groups of similar images without a shortcut, its labels, and the class number of each group."""
    rng = np.random.default_rng(seed)
    of_group = rng.permutation(np.arange(groups) % classes)
    looks = pd.DataFrame(
        {
            "width": rng.integers(150, 1200, groups),
            "height": rng.integers(150, 1200, groups),
            "mode": rng.choice(["L", "RGB", "RGBA"], groups),
            "brightness": rng.uniform(0, 255, groups),
            "suffix": rng.choice(["png", "jpg"], groups),
            "group": [f"group{number}" for number in range(groups)],
        }
    )
    table = looks.loc[looks.index.repeat(images)].reset_index(drop=True)
    table["path"] = [f"{row}.{suffix}" for row, suffix in enumerate(table["suffix"])]
    labels = pd.Series([f"class{number}" for number in np.repeat(of_group, images)])
    return table, labels, np.repeat(of_group, images)


SHORTCUTS: dict[str, Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]] = {
    "size": lambda table, of: table.assign(width=table["width"].where(of == 0, table["width"] // 3)),
    "mode": lambda table, of: table.assign(mode=np.where(of == 0, "L", "RGB")),
    "file type": lambda table, of: table.assign(path=[f"{row}.{'jpeg' if n else 'PNG'}" for row, n in enumerate(of)]),
    "brightness": lambda table, of: table.assign(brightness=table["brightness"] / 2 + 60 * of),
}


@pytest.mark.parametrize("measure", SHORTCUTS)
def test_the_warning_names_the_measure_that_predicts_the_class(measure: str) -> None:
    table, labels, of = table_of(200, 2)
    found = find_shortcut(SHORTCUTS[measure](table, of), "class", labels, 0)
    assert found is not None
    assert found.strong
    assert f"({measure} alone" in found.warning()
    line = found.warning()
    assert line.startswith(
        "SHORTCUT: image size, mode, file type and brightness alone predict the class with a balanced"
    )
    assert f"where chance is .500 ({measure} alone " in line
    assert "\n" not in line


@pytest.mark.parametrize(("groups", "classes"), [(40, 2), (200, 3), (300, 14), (1500, 2)])
def test_random_images_give_no_warning_and_intervals_that_contain_chance(groups: int, classes: int) -> None:
    found: list[Shortcut] = []
    for seed in range(12):
        table, labels, _ = table_of(groups, classes, seed=seed)
        shortcut = find_shortcut(table, "class", labels, seed)
        assert shortcut is not None
        found.append(shortcut)
    assert not any(shortcut.strong for shortcut in found)
    assert sum(shortcut.scores[ALL].low > shortcut.chance for shortcut in found) <= 2


def test_siblings_do_not_reveal_each_others_labels() -> None:
    table, labels, _ = table_of(60, 2, images=20)
    found = find_shortcut(table, "class", labels, 0)
    alone = find_shortcut(table.assign(group=table["path"]), "class", labels, 0)
    assert found is not None
    assert alone is not None
    assert found.groups == 60
    assert not found.strong
    assert alone.strong  # without respect for groups, this would be reported of any set with siblings


def test_the_score_equals_that_of_scikit_learn_and_is_scaled_like_kappa() -> None:
    table, labels, of = table_of(400, 4)
    table = table.assign(brightness=np.where(np.random.default_rng(1).random(400) < 0.6, 40 * of, table["brightness"]))
    found = find_shortcut(table, "class", labels, 0)
    assert found is not None
    score = found.scores[ALL]
    # the same trees and folds once more, by scikit-learn's own way from rows to a score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.tree import DecisionTreeClassifier

    from medtransfer.util.seeds import generator, seed_from

    order = generator("shortcut", "class", 0).permutation(400)
    rows = table.sort_values("path").iloc[order]
    truth = labels.loc[rows.index].to_numpy(str)
    types = rows["path"].str.rsplit(".", n=1).str[-1].rename("file_type")
    measures = pd.concat([rows[["width", "height", "mode"]], types, rows["brightness"]], axis=1)
    values, predicted = pd.get_dummies(measures).to_numpy(float), np.empty(400, dtype=object)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed_from("folds", 0) % 2**32)
    for learned, asked in folds.split(values, truth):
        tree = DecisionTreeClassifier(
            max_depth=3, min_samples_leaf=5, class_weight="balanced", random_state=seed_from("tree", 0) % 2**32
        )
        predicted[asked] = tree.fit(values[learned], truth[learned]).predict(values[asked])
    assert score.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, predicted))
    kappa = cohen_kappa_score(truth, predicted)
    assert (score.balanced_accuracy - 0.25) / 0.75 == pytest.approx(kappa)
    hits = (truth == predicted).astype(float)
    drawn = []
    rng = np.random.default_rng(0)
    for _ in range(4000):
        recalls = [rng.choice(hits[truth == label], 100).mean() for label in np.unique(truth)]
        drawn.append(np.mean(recalls))
    assert (score.low, score.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.005)


def test_order_of_rows_changes_nothing_and_twice_is_the_same() -> None:
    table, labels, _ = table_of(80, 3, images=2)
    shuffled = table.sample(frac=1, random_state=1)
    first = find_shortcut(table, "class", labels, 4)
    assert find_shortcut(shuffled, "class", labels.loc[shuffled.index], 4) == first
    assert find_shortcut(table, "class", labels, 4) == first


def test_small_classes_are_left_out_and_fewer_than_two_have_no_result() -> None:
    table, labels, _ = table_of(70, 2)
    labels.iloc[: LEAST_GROUPS - 1] = "rare"
    found = find_shortcut(table, "class", labels, 0)
    assert found is not None
    assert (found.groups, found.chance) == (70 - LEAST_GROUPS + 1, 0.5)
    assert find_shortcut(table[: LEAST_GROUPS + 3], "class", labels[: LEAST_GROUPS + 3], 0) is None
    assert find_shortcut(table, "class", pd.Series(["one"] * 70), 0) is None


def test_equal_images_have_no_result_and_a_constant_measure_has_no_score() -> None:
    table, labels, _ = table_of(60, 2)
    alike = table.assign(width=64, height=64, mode="L", path=[f"{row}.png" for row in range(60)])
    found = find_shortcut(alike, "class", labels, 0)
    assert found is not None
    assert set(found.scores) == {ALL, "brightness"}
    assert find_shortcut(alike.assign(brightness=7.0), "class", labels, 0) is None


@pytest.mark.parametrize(("low", "strong"), [(0.5 + STRONG / 2 + 0.01, True), (0.5 + STRONG / 2 - 0.01, False)])
def test_a_shortcut_is_strong_if_its_lower_limit_is_more_than_slight(low: float, strong: bool) -> None:
    scores = {ALL: BalancedAccuracy(0.9, low, 0.95), "mode": BalancedAccuracy(0.8, 0.7, 0.9)}
    shortcut = Shortcut("test", 40, 0.5, scores)
    assert shortcut.strong == strong
    assert shortcut.as_json()["strong"] == strong
    assert shortcut.warning().startswith(
        "SHIFT: image size, mode, file type and brightness alone distinguish test images from"
    )
