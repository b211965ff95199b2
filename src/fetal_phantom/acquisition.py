"""From acoustic properties to a B-mode image, simulated on the polar grid in the steps of a scanner.

Random scatterers and reflectors are imaged by a point-spread function, the echoes are attenuated on their way and
amplified again with their depth, and the envelope is log-compressed and scan-converted.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetal_phantom.challenge import Challenge
from fetal_phantom.painting import Layers, paint
from fetal_phantom.scene import Scene
from fetal_phantom.sector import Grid
from fetal_phantom.speckle import coarse_noise, resolution_cells, speckle

Samples = NDArray[np.float32]

# Level that a well-set gain shows as white, relative to the mean echo of uterine muscle.
_WHITE_DB = 22.0
_AMPLITUDE_OF_DB = np.float32(np.log(10.0) / 20.0)
_DB_OF_AMPLITUDE = np.float32(20.0 / np.log(10.0))
# Depths of the sliders of the time-gain compensation, as fractions of the recorded depth.
_SLIDERS = np.linspace(0.0, 1.0, 7)
_LARGEST_LOSS_DB = 60.0


@dataclass(frozen=True)
class Shadow:
    """A dark wedge behind an obstacle; direction and half width are fractions of half the opening angle."""

    direction: float
    half_width: float
    loss_db: float


@dataclass(frozen=True)
class Acquisition:
    """Settings and artefacts of one simulated frame; see `Challenge` for the fields not listed here."""

    grain: float
    focus: float  # depth of the best lateral resolution, as a fraction of the recorded depth
    smoothing: float
    clutter_db: float
    reverberation: float
    compensated: float  # round-trip attenuation that the time-gain compensation assumes, dB/mm
    sliders_db: tuple[float, ...]  # errors of the compensation at equally spaced depths
    gain_db: float
    dynamic_range_db: float  # range of levels between black and white
    shadows: tuple[Shadow, ...]


def draw_acquisition(rng: np.random.Generator, challenge: Challenge) -> Acquisition:
    """Draw the settings of a frame."""
    sliders = rng.normal(0.0, challenge.compensation_db.draw(rng), len(_SLIDERS))
    count = int(rng.random() < challenge.shadow_chance) + int(rng.random() < challenge.shadow_chance / 3.0)
    shadows = tuple(
        Shadow(float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.03, 0.12)), challenge.shadow_db.draw(rng))
        for _ in range(count)
    )
    return Acquisition(
        grain=challenge.grain.draw(rng),
        focus=float(rng.uniform(0.35, 0.75)),
        smoothing=challenge.smoothing.draw(rng),
        clutter_db=challenge.clutter_db.draw(rng),
        reverberation=challenge.reverberation.draw(rng),
        compensated=float(rng.uniform(0.22, 0.30)),
        sliders_db=tuple(sliders.tolist()),
        gain_db=challenge.gain_db.draw(rng),
        dynamic_range_db=float(rng.uniform(46.0, 62.0)),
        shadows=shadows,
    )


def acquire(scene: Scene, grid: Grid, acquisition: Acquisition, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the image, [size, size], 0 to 255; exactly 0 outside the sector."""
    layers = paint(scene, grid)
    echoes = envelope(layers, grid, acquisition, rng)
    losses = _path_loss_db(layers, grid, acquisition, scene.field_mm)
    level = cv2.log(echoes + np.float32(1e-6)) * _DB_OF_AMPLITUDE - losses
    return grid.scan_convert(_display(level, acquisition))


def envelope(layers: Layers, grid: Grid, acquisition: Acquisition, rng: np.random.Generator) -> Samples:
    """Return the echo amplitude before any loss, [rows, columns], relative to the mean of uterine muscle."""
    level = layers.echo_db + layers.mottle_db * coarse_noise(rng, grid.rows, grid.columns)
    near_field = np.float32(2.0) * np.exp(-grid.depths / np.float32(0.08))
    clutter = np.float32(10.0 ** (acquisition.clutter_db / 20.0)) * (np.float32(1.0) + near_field)
    power = np.exp(level * (2 * _AMPLITUDE_OF_DB)) + np.square(clutter)[:, None]
    cells = resolution_cells(grid, acquisition.grain, acquisition.focus)
    return speckle(np.sqrt(power), _with_repeats(layers.mirror, grid, acquisition.reverberation), cells, rng)


def _with_repeats(mirror: Samples, grid: Grid, reverberation: float) -> Samples:
    """Add two fainter copies below each reflector, from repeated echoes between it and the probe."""
    repeated = mirror.copy()
    for repeat in (1, 2):
        shift = round(repeat * 0.055 / grid.row_step)
        repeated[shift:] += np.float32(reverberation**repeat) * mirror[:-shift]
    return repeated


def _path_loss_db(layers: Layers, grid: Grid, acquisition: Acquisition, field_mm: float) -> Samples:
    """Return the loss along each beam after time-gain compensation, [rows, columns], dB.

    A beam at a grazing angle crosses more bone, so the loss darkens the image behind the edges of the skull.
    """
    step_mm = np.float32(grid.row_step * field_mm)
    excess = (layers.attenuation - np.float32(acquisition.compensated)) * step_mm
    loss = np.cumsum(excess, axis=0, dtype=np.float32)
    loss -= np.interp(grid.depths, _SLIDERS, acquisition.sliders_db).astype(np.float32)[:, None]
    for shadow in acquisition.shadows:
        distance = (grid.directions - np.float32(shadow.direction)) / np.float32(shadow.half_width)
        loss += np.float32(shadow.loss_db) * np.exp(-np.square(np.square(distance)))
    limited: Samples = np.minimum(loss, np.float32(_LARGEST_LOSS_DB))
    return limited


def _display(level_db: Samples, acquisition: Acquisition) -> NDArray[np.uint8]:
    """Return grey levels of the compressed envelope after the scanner's speckle reduction, [rows, columns]."""
    black = _WHITE_DB - acquisition.gain_db - acquisition.dynamic_range_db
    scale = np.float32(255.0 / acquisition.dynamic_range_db)
    shown = np.clip((level_db - np.float32(black)) * scale, 0.0, 255.0)
    smooth = cv2.GaussianBlur(shown, (0, 0), 1.0)
    mixed = cv2.addWeighted(shown, 1.0 - acquisition.smoothing, smooth, acquisition.smoothing, 0.5)
    return np.asarray(mixed, np.float32).astype(np.uint8)
