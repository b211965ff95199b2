"""Simulated heads: labels follow from the anatomy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_phantom import CLASSES
from fetal_phantom.anatomy import CLASS_SHARES, classify, draw_head
from fetal_phantom.challenge import VENTRICULOMEGALY_MM, Challenge
from fetal_phantom.patients import draw_patient
from fetal_phantom.ventricles import LateralVentricles

from .samples import difficulties, seeds


def test_labels_follow_from_the_anatomy(anatomy: pd.DataFrame) -> None:
    width = anatomy["atrial_width_mm"]
    assert (width.isna() == (anatomy["class"] == "holoprosencephaly")).all()
    assert ((width >= VENTRICULOMEGALY_MM) == (anatomy["class"] == "ventriculomegaly")).all()
    assert ((anatomy["lesion_area_mm2"] > 0) == (anatomy["class"] != "normal")).all()
    assert (anatomy["apparent_atrial_width_mm"].dropna() <= width.dropna()).all()


def test_grades_of_ventriculomegaly_follow_from_the_width(anatomy: pd.DataFrame) -> None:
    edges = [0, 10, 13, 15, np.inf]
    expected = pd.cut(anatomy["atrial_width_mm"], edges, right=False, labels=["none", "mild", "moderate", "severe"])
    found = anatomy["ventriculomegaly"]
    assert found.isna().equals(expected.isna())
    assert (found.dropna() == expected.dropna().astype(str)).all()
    assert found.nunique() >= 3


@given(st.sampled_from(CLASSES), difficulties, seeds)
def test_a_head_drawn_with_a_condition_has_its_class(condition: str, difficulty: float, seed: int) -> None:
    head = draw_head(np.random.default_rng(seed), condition, Challenge.of(difficulty))
    assert classify(head) == condition
    assert 65.0 <= head.biparietal_diameter_mm <= 95.0
    assert 0.70 <= head.cephalic_index <= 0.86


@given(st.tuples(difficulties, difficulties).map(sorted))
def test_a_higher_difficulty_is_harder(pair: list[float]) -> None:
    easier, harder = (Challenge.of(difficulty) for difficulty in pair)
    gap = [each.enlarged_atrium_mm.low - each.normal_atrium_mm.high for each in (easier, harder)]
    assert gap[0] >= gap[1] > 0.0
    assert easier.normal_atrium_mm.high < VENTRICULOMEGALY_MM < easier.enlarged_atrium_mm.low
    assert easier.lesion_radius.low >= harder.lesion_radius.low
    assert easier.mass_contrast_db.low >= harder.mass_contrast_db.low
    assert easier.cyst_contrast_db.high <= harder.cyst_contrast_db.high
    assert easier.shadow_chance <= harder.shadow_chance


@given(st.floats(4.0, 20.0), st.floats(0.2, 0.7))
def test_a_ventricle_is_widest_at_its_atrium(width: float, body: float) -> None:
    ventricles = LateralVentricles((width, 0.9 * width), body, choroid_fill=0.5)
    for outline, expected in zip(ventricles.outlines((50.0, 38.0), 1.0), ventricles.atria_mm, strict=True):
        left, right = outline[: len(outline) // 2], outline[len(outline) // 2 :][::-1]
        assert np.hypot(*(left - right).T).max() == pytest.approx(expected)


def test_classes_are_as_frequent_as_planned() -> None:
    challenge = Challenge.of(0.5)
    labels = [draw_patient(3, index, 2, challenge).label for index in range(300)]
    for name, share in zip(CLASSES, CLASS_SHARES, strict=True):
        assert labels.count(name) / 300 == pytest.approx(share, abs=0.02)
    assert max(CLASSES, key=labels.count) == "normal"
