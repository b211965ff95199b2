"""Simulated ultrasound has the known statistics and artefacts of real ultrasound."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fetal_phantom import CLASSES
from fetal_phantom.acquisition import Acquisition, acquire, draw_acquisition
from fetal_phantom.challenge import Challenge
from fetal_phantom.geometry import Ellipse, closed
from fetal_phantom.painting import paint
from fetal_phantom.scene import Reflector, Region, Scene
from fetal_phantom.sector import SECTORS, Sector, polar_grid
from fetal_phantom.speckle import resolution_cells, speckle
from fetal_phantom.tissue import BRAIN, FLUID, UTERUS

from .samples import frames_of, read


def contrast(image: np.ndarray, mask: np.ndarray) -> float:
    """Return the grey level inside a lesion minus that of the tissue around it, without the pixels at its edge."""
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0
    near, far = (cv2.dilate(mask.astype(np.uint8), np.ones((width, width))) > 0 for width in (5, 11))
    return float(np.mean(image[core]) - np.median(image[far & ~near]))


def plain_acquisition() -> Acquisition:
    return draw_acquisition(np.random.default_rng(0), Challenge.of(0.0))


@pytest.mark.parametrize(("label", "sign"), [("cyst", -1), ("mass", 1)])
def test_cysts_are_dark_and_masses_are_bright(label: str, sign: int) -> None:
    contrasts = [contrast(frame.image, frame.mask) for _, frame in frames_of(label, difficulty=0.2)]
    assert len(contrasts) >= 8
    assert np.mean(np.sign(contrasts) == sign) >= 0.85
    assert sign * np.mean(contrasts) > 10.0


@pytest.mark.parametrize("grain", [0.9, 1.5, 2.0])
def test_speckle_is_fully_developed(grain: float) -> None:
    grid = polar_grid(SECTORS[0], 256)
    ones = np.ones((grid.rows, grid.columns), np.float32)
    cells = resolution_cells(grid, grain, focus=0.5)
    frames = [speckle(ones, np.zeros_like(ones), cells, np.random.default_rng(seed)) for seed in range(8)]
    echoes = np.concatenate(frames, axis=1)
    # The ratio of a Rayleigh distribution is sqrt(pi / (4 - pi)).
    assert echoes.mean() / echoes.std() == pytest.approx(1.913, abs=0.04)
    for part in np.array_split(echoes, 4):
        assert np.mean(part**2) == pytest.approx(1.0, abs=0.08)


def test_speckle_is_coarser_away_from_the_focus() -> None:
    grid = polar_grid(SECTORS[0], 256)
    ones = np.ones((grid.rows, grid.columns), np.float32)
    cells = resolution_cells(grid, 1.5, focus=0.25)
    echoes = speckle(ones, np.zeros_like(ones), cells, np.random.default_rng(1))
    at_focus, far = echoes[60:120] - echoes.mean(), echoes[-60:] - echoes.mean()
    kept = [np.mean(part[:, 2:] * part[:, :-2]) / part.var() for part in (at_focus, far)]
    assert kept[0] < kept[1] - 0.1


@pytest.mark.parametrize("sector", SECTORS)
def test_the_image_is_exactly_black_outside_the_sector(sector: Sector) -> None:
    rng = np.random.default_rng(2)
    bright = Scene(120.0, UTERUS.shifted(15.0), ())
    image = acquire(bright, polar_grid(sector, 96), plain_acquisition(), rng)
    y, x = (np.mgrid[:96, :96] + 0.5) / 96
    radius, angle = np.hypot(x - 0.5, y + sector.apex), np.arctan2(x - 0.5, y + sector.apex)
    outside = (radius < sector.near) | (radius > sector.far) | (np.abs(angle) > sector.half_angle)
    assert outside.any()
    assert (image[outside] == 0).all()
    assert (image[~outside] > 0).mean() > 0.95


def test_tissue_behind_fluid_is_enhanced() -> None:
    pocket = Region(Ellipse((60.0, 50.0), (12.0, 12.0)).points(), FLUID)
    grid = polar_grid(SECTORS[0], 96)
    image = acquire(Scene(120.0, BRAIN, (pocket,)), grid, plain_acquisition(), np.random.default_rng(3))
    behind, beside = image[54:66, 43:53], image[54:66, 20:32]
    assert behind.mean() > beside.mean() + 10.0


def test_a_reflector_is_brightest_at_a_right_angle_to_the_beam() -> None:
    ring = Reflector(closed(Ellipse((60.0, 65.0), (25.0, 25.0)).points(64)), 2.0, 10.0)
    grid = polar_grid(SECTORS[0], 96)
    layers = paint(Scene(120.0, BRAIN, (ring,)), grid)
    column = layers.mirror[:, grid.columns // 2].max()
    row = grid.polar(np.array([[0.5, 65.0 / 120.0]]))[0, 1]
    assert column == pytest.approx(10.0, rel=0.15)
    assert layers.mirror[round(row)].max() < 0.2 * column


def test_brightness_does_not_reveal_the_class(anatomy: pd.DataFrame, folder: Path) -> None:
    means = np.array([read(folder / row.split / row.filename).mean() for row in anatomy.itertuples()])
    between = np.std([means[anatomy["class"] == name].mean() for name in CLASSES])
    assert between < 0.75 * means.std()
