"""Outlines and placements in the plane.

Every outline is a polygon of dense points in mm. Points are mapped exactly through a placement or into the polar
frame of the probe, so a structure has the same shape in every view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Wobble:
    """Relative deviation of a radius from a smooth outline: a short Fourier series.

    It starts at order 2, because order 1 would only shift the outline.
    """

    cosines: tuple[float, ...] = ()
    sines: tuple[float, ...] = ()

    @classmethod
    def draw(cls, rng: np.random.Generator, amplitude: float, orders: int) -> Wobble:
        """Draw `orders` harmonics that fall off with their order; `amplitude` is a fraction of the radius."""
        fall_off = amplitude / np.sqrt(np.arange(1, orders + 1))
        cosines, sines = rng.uniform(-1.0, 1.0, (2, orders)) * fall_off
        return cls(tuple(cosines.tolist()), tuple(sines.tolist()))

    def radius(self, count: int) -> NDArray[np.float64]:
        """Return the radius relative to the smooth outline at `count` equally spaced phases, [count]."""
        if not self.cosines:
            return np.ones(count)
        cosines, sines = _harmonics(count, len(self.cosines))
        factor: NDArray[np.float64] = self.cosines @ cosines + self.sines @ sines + 1.0
        return factor


@lru_cache(maxsize=32)
def _circle(count: int) -> NDArray[np.complex128]:
    """Return equally spaced points of the unit circle, [count]."""
    circle: NDArray[np.complex128] = np.exp(2j * np.pi * np.arange(count) / count)
    return circle


@lru_cache(maxsize=32)
def _harmonics(count: int, orders: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cosines and sines of the harmonics from order 2 on, each [orders, count]."""
    powers = _circle(count) ** np.arange(2, orders + 2)[:, None]
    return powers.real.copy(), powers.imag.copy()


@dataclass(frozen=True)
class Ellipse:
    """An ellipse, optionally with a wobbling outline; lengths in mm, `angle` in radians."""

    centre: tuple[float, float]
    semi_axes: tuple[float, float]
    angle: float = 0.0
    wobble: Wobble = Wobble()

    def points(self, count: int = 48, *, grow: float = 0.0, scale: float = 1.0) -> Points:
        """Return the outline, [count, 2], with semi-axes multiplied by `scale`, then enlarged by `grow` mm."""
        circle = _circle(count) * self.wobble.radius(count)
        along = (self.semi_axes[0] * scale + grow) * circle.real
        across = (self.semi_axes[1] * scale + grow) * circle.imag
        points = (along + 1j * across) * np.exp(1j * self.angle) + complex(*self.centre)
        outline: Points = points.view(np.float64).reshape(count, 2)
        return outline

    def draw_inside(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a point uniformly from the smooth ellipse."""
        inside = np.sqrt(rng.random()) * np.exp(2j * np.pi * rng.random())
        along, across = inside.real * self.semi_axes[0], inside.imag * self.semi_axes[1]
        point = complex(along, across) * np.exp(1j * self.angle) + complex(*self.centre)
        return float(point.real), float(point.imag)


@dataclass(frozen=True)
class Placement:
    """Rigid motion from the frame of an object into the scan plane, both in mm: mirror, rotate, shift."""

    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirror: tuple[int, int] = (1, 1)

    def apply(self, points: Points) -> Points:
        """Map points, [n, 2], into the scan plane."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        rotation = np.array([[cosine, sine], [-sine, cosine]])
        moved: Points = (points * self.mirror) @ rotation + self.shift
        return moved


def normals(points: Points, ends: Sequence[int]) -> Points:
    """Return unit normals, [n, 2], of paths that are concatenated in `points`, [n, 2].

    `ends` holds the index after each path's last point. A path is closed if its last point repeats the first.
    """
    steps = np.diff(points, axis=0, append=points[-1:])
    last = np.asarray(ends) - 1
    first = np.concatenate([[0], last[:-1] + 1])
    steps[last] = 0.0
    whole = np.all(points[first] == points[last], axis=1)
    tangent = steps.copy()
    tangent[1:] += steps[:-1]
    tangent[first[whole]] += steps[last[whole] - 1]
    tangent[last[whole]] += steps[first[whole]]
    length = np.hypot(tangent[:, 0], tangent[:, 1])
    return np.stack([-tangent[:, 1] / length, tangent[:, 0] / length], axis=1)


def tube(centreline: Points, widths: NDArray[np.float64]) -> Points:
    """Return the outline, [2 n, 2], of a band of the given full widths (mm) along an open centreline, [n, 2]."""
    steps = np.diff(centreline, axis=0)
    tangent = np.concatenate([steps[:1], steps[1:] + steps[:-1], steps[-1:]])
    offset = tangent[:, ::-1] * (-0.5, 0.5) * (widths / np.hypot(tangent[:, 0], tangent[:, 1]))[:, None]
    return np.concatenate([centreline + offset, (centreline - offset)[::-1]])


def closed(outline: Points) -> Points:
    """Repeat the first point of an outline at its end, [n + 1, 2]."""
    return np.concatenate([outline, outline[:1]])


def polygon_area(outline: Points) -> float:
    """Return the area of a simple polygon, by the shoelace formula, in the squared unit of its points."""
    x, y = outline[:, 0], outline[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0)


def polygon_length(outline: Points) -> float:
    """Return the length of the outline of a polygon, [n, 2]."""
    return float(np.hypot(*(np.roll(outline, -1, axis=0) - outline).T).sum())


def polygon_mask(outline: Points, size: int) -> NDArray[np.bool_]:
    """Return the pixels whose centre is inside a polygon, [size, size].

    `outline` is in pixels; the centre of the first pixel is (0.5, 0.5). A pixel is inside if the polygon's edges cut
    its row an odd number of times to its left. (OpenCV also fills every pixel that the outline touches, which makes
    small lesions too large.)
    """
    x, y = outline[:, 0], outline[:, 1]
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    centres = np.arange(size)[:, None] + 0.5
    row, edge = np.nonzero((y > centres) != (next_y > centres))
    share = (row + 0.5 - y[edge]) / (next_y[edge] - y[edge])
    column = np.ceil(x[edge] + share * (next_x[edge] - x[edge]) - 0.5).astype(np.int64)
    toggles = np.zeros((size, size + 1), np.uint8)
    np.bitwise_xor.at(toggles, (row, np.clip(column, 0, size)), 1)
    inside: NDArray[np.bool_] = np.bitwise_xor.accumulate(toggles[:, :size], axis=1).astype(bool)
    return inside
