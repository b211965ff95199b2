"""Rasterise a scene on the polar grid of the simulated probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetal_phantom.geometry import Points, normals
from fetal_phantom.scene import Reflector, Region, Scene, parted
from fetal_phantom.sector import Grid
from fetal_phantom.tissue import HIGHEST_ATTENUATION, HIGHEST_ECHO_DB, HIGHEST_MOTTLE_DB, LOWEST_ECHO_DB

STRONGEST_MIRROR = 24.0
_SUBPIXEL_BITS = 4
_OVERSAMPLING = 2
# Fraction of a reflector's echo that remains when the beam runs along it, and the power of the cosine between beam
# and normal with which the rest falls off.
_SIDELONG_SHARE = 0.05
_DIRECTIVITY = 4.0


@dataclass(frozen=True, eq=False)
class Layers:
    """Acoustic properties on the polar grid, each [rows, columns], float32."""

    echo_db: NDArray[np.float32]  # mean backscatter amplitude relative to uterine muscle, dB
    attenuation: NDArray[np.float32]  # round-trip loss, dB/mm
    mottle_db: NDArray[np.float32]  # standard deviation of the coarse variation of the backscatter, dB
    mirror: NDArray[np.float32]  # amplitude of the echo of reflectors relative to that of uterine muscle


def paint(scene: Scene, grid: Grid) -> Layers:
    """Return the acoustic properties of a scene at the samples of a grid.

    They are painted as 8-bit levels on a finer grid and averaged, which is fast and gives smooth edges at their true
    positions; the steps of the levels (0.3 dB) are far below the speckle.
    """
    tissue = np.empty((grid.rows * _OVERSAMPLING, grid.columns * _OVERSAMPLING, 3), np.uint8)
    mirror = np.zeros(tissue.shape[:2], np.uint8)
    cv2.rectangle(tissue, (0, 0), tissue.shape[1::-1], scene.background.code(), cv2.FILLED)
    pieces = iter(_pieces(scene, grid))
    regions = [element.outline for element in scene.elements if isinstance(element, Region)]
    outlines = iter(parted(_fixed(regions, scene.field_mm, grid), regions))
    for element in scene.elements:
        if isinstance(element, Region):
            corners = next(outlines)
            cv2.fillPoly(tissue, [corners], element.tissue.code(), cv2.LINE_8, _SUBPIXEL_BITS)
            cv2.fillPoly(mirror, [corners], 0, cv2.LINE_8, _SUBPIXEL_BITS)
        else:
            for corners, level in next(pieces):
                cv2.fillConvexPoly(mirror, corners, level, cv2.LINE_8, _SUBPIXEL_BITS)
    shape = (grid.columns, grid.rows)
    return _decoded(
        np.asarray(cv2.resize(tissue, shape, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(mirror, shape, interpolation=cv2.INTER_AREA), np.uint8),
    )


def _fixed(courses: Sequence[Points], field_mm: float, grid: Grid) -> NDArray[np.int32]:
    """Return all points of the courses, [n, 2], on the finer polar grid, in the fixed-point units of OpenCV."""
    every = np.concatenate(courses) if courses else np.empty((0, 2))
    painted = (grid.polar(every / field_mm) + 0.5) * _OVERSAMPLING - 0.5
    return np.rint(painted * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _pieces(scene: Scene, grid: Grid) -> list[list[tuple[NDArray[np.int32], int]]]:
    """Return the quadrangles, [4, 2], of each reflector of a scene, and the levels to paint them with.

    All reflectors are computed at once, because there are many and they are short.
    """
    reflectors = [element for element in scene.elements if isinstance(element, Reflector)]
    if not reflectors:
        return []
    lengths = [len(reflector.path) for reflector in reflectors]
    path = np.concatenate([reflector.path for reflector in reflectors])
    normal = normals(path, np.cumsum(lengths).tolist())
    offset = normal * np.repeat([reflector.width_mm / 2.0 for reflector in reflectors], lengths)[:, None]
    left, right = np.split(_fixed([path + offset, path - offset], scene.field_mm, grid), 2)
    quadrangles = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)
    facing = np.abs(np.sum(normal * grid.beams(path / scene.field_mm), axis=1))
    strength = np.concatenate([np.full(len(each.path), each.strength) for each in reflectors])
    levels = _levels(strength, facing)
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    return [
        list(zip(quadrangles[start : start + length - 1], levels[start : start + length - 1], strict=True))
        for start, length in zip(starts, lengths, strict=True)
    ]


def _levels(strength: NDArray[np.float64], facing: NDArray[np.float64]) -> list[int]:
    """Return the level from each point to the next: the root of the amplitude, which resolves weak echoes better."""
    amplitude = strength * (_SIDELONG_SHARE + (1.0 - _SIDELONG_SHARE) * facing**_DIRECTIVITY)
    levels = 255.0 * np.sqrt(np.clip(amplitude / STRONGEST_MIRROR, 0.0, 1.0))
    pieces: list[int] = np.rint((levels[1:] + levels[:-1]) / 2.0).astype(int).tolist()
    return pieces


def _decoded(tissue: NDArray[np.uint8], mirror: NDArray[np.uint8]) -> Layers:
    share = tissue.astype(np.float32) / np.float32(255.0)
    span = np.float32(HIGHEST_ECHO_DB - LOWEST_ECHO_DB)
    return Layers(
        echo_db=share[..., 0] * span + np.float32(LOWEST_ECHO_DB),
        attenuation=share[..., 1] * np.float32(HIGHEST_ATTENUATION),
        mottle_db=share[..., 2] * np.float32(HIGHEST_MOTTLE_DB),
        mirror=np.square(mirror.astype(np.float32) / np.float32(255.0)) * np.float32(STRONGEST_MIRROR),
    )
