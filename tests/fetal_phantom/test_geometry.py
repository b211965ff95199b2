"""Lesion masks and the geometry behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_phantom.geometry import Ellipse, Placement, Wobble, polygon_area, polygon_mask
from fetal_phantom.sector import polar_grid

from .samples import frames_of, read, seeds


def test_mask_areas_match_the_anatomy(folder: Path, anatomy: pd.DataFrame) -> None:
    for row in anatomy.itertuples():
        mask = read(folder / "masks" / row.split / row.filename)
        measured = np.count_nonzero(mask) * row.pixel_spacing_mm**2
        # The rounding of a pixel grid: one pixel more or less along a fifth of the outline.
        outline = 2.0 * np.sqrt(np.pi * row.lesion_area_mm2)
        assert measured == pytest.approx(row.lesion_area_mm2, abs=0.2 * outline * row.pixel_spacing_mm)


def test_mask_areas_are_unbiased(folder: Path, anatomy: pd.DataFrame) -> None:
    pixels = [np.count_nonzero(read(folder / "masks" / row.split / row.filename)) for row in anatomy.itertuples()]
    measured = (np.array(pixels) * anatomy["pixel_spacing_mm"] ** 2).sum()
    assert measured == pytest.approx(anatomy["lesion_area_mm2"].sum(), rel=0.01)


def test_lesions_are_inside_the_head_and_the_sector() -> None:
    for patient, frame in frames_of("cyst", "mass", "ventriculomegaly", "holoprosencephaly", difficulty=0.5):
        skull = patient.head.skull.points(96)
        field_mm = frame.pixel_spacing_mm * 64
        inside = polygon_mask(frame.view.placement(field_mm).apply(skull) / frame.pixel_spacing_mm, 64)
        assert not (frame.mask & ~inside).any()
        assert not (frame.mask & ~polar_grid(frame.view.sector, 64).inside).any()


@given(st.floats(4.0, 25.0), st.floats(0.5, 1.0), st.floats(0.0, 3.0), seeds)
def test_polygon_mask_has_the_area_of_the_polygon(radius: float, ratio: float, angle: float, seed: int) -> None:
    wobble = Wobble.draw(np.random.default_rng(seed), 0.1, 4)
    outline = Ellipse((32.3, 31.6), (radius, radius * ratio), angle, wobble).points(96)
    assert polygon_mask(outline, 64).sum() == pytest.approx(polygon_area(outline), abs=1.5 * radius)


@given(st.floats(-3.0, 3.0), st.sampled_from([(1, 1), (-1, 1), (1, -1)]))
def test_a_placement_preserves_distances(angle: float, mirror: tuple[int, int]) -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [-2.0, 7.0]])
    moved = Placement(angle, (5.0, -2.0), mirror).apply(points)
    before, after = (np.hypot(*np.diff(each, axis=0).T) for each in (points, moved))
    assert after == pytest.approx(before)
    assert moved[0] == pytest.approx([5.0, -2.0])


def test_a_fine_polygon_has_the_area_of_its_circle() -> None:
    assert polygon_area(Ellipse((3.0, -4.0), (2.0, 2.0)).points(400)) == pytest.approx(4.0 * np.pi, rel=1e-3)
