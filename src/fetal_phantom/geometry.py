"""Outlines and placements in the plane: the only geometry that the ultrasound simulation needs.

Every outline is a polygon of dense points in millimetres. Points can be carried exactly through a placement
or into the polar frame of the probe, so a structure keeps its shape however it is looked at.
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
    """Relative departure of a radius from a smooth outline: a short Fourier series.

    It starts at the order 2, for the order 1 would only shift the outline.
    """

    cosines: tuple[float, ...] = ()
    sines: tuple[float, ...] = ()

    @classmethod
    def draw(cls, rng: np.random.Generator, amplitude: float, orders: int) -> Wobble:
        """Draw `orders` harmonics that fall off with their order; `amplitude` is a share of the radius."""
        fall_off = amplitude / np.sqrt(np.arange(1, orders + 1))
        cosines, sines = rng.uniform(-1.0, 1.0, (2, orders)) * fall_off
        return cls(tuple(cosines.tolist()), tuple(sines.tolist()))

    def radius(self, count: int) -> NDArray[np.float64]:
        """Radius relative to the smooth outline at `count` equally spaced phases, [count]."""
        if not self.cosines:
            return np.ones(count)
        cosines, sines = _harmonics(count, len(self.cosines))
        factor: NDArray[np.float64] = self.cosines @ cosines + self.sines @ sines + 1.0
        return factor


@lru_cache(maxsize=32)
def _circle(count: int) -> NDArray[np.complex128]:
    """Equally spaced points of the unit circle, [count]."""
    circle: NDArray[np.complex128] = np.exp(2j * np.pi * np.arange(count) / count)
    return circle


@lru_cache(maxsize=32)
def _harmonics(count: int, orders: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines and sines, each [orders, count], of the harmonics that start at the order 2."""
    powers = _circle(count) ** np.arange(2, orders + 2)[:, None]
    return powers.real.copy(), powers.imag.copy()


@dataclass(frozen=True)
class Ellipse:
    """An ellipse, perhaps with a wobbling outline. Lengths in millimetres, `angle` in radians."""

    centre: tuple[float, float]
    semi_axes: tuple[float, float]
    angle: float = 0.0
    wobble: Wobble = Wobble()

    def points(self, count: int = 48, *, grow: float = 0.0, scale: float = 1.0) -> Points:
        """Outline, [count, 2], with both semi-axes multiplied by `scale` and then enlarged by `grow` mm."""
        circle = _circle(count) * self.wobble.radius(count)
        along = (self.semi_axes[0] * scale + grow) * circle.real
        across = (self.semi_axes[1] * scale + grow) * circle.imag
        points = (along + 1j * across) * np.exp(1j * self.angle) + complex(*self.centre)
        outline: Points = points.view(np.float64).reshape(count, 2)
        return outline

    def draw_inside(self, rng: np.random.Generator) -> tuple[float, float]:
        """A random point of the smooth ellipse, each as likely as the next."""
        inside = np.sqrt(rng.random()) * np.exp(2j * np.pi * rng.random())
        along, across = inside.real * self.semi_axes[0], inside.imag * self.semi_axes[1]
        point = complex(along, across) * np.exp(1j * self.angle) + complex(*self.centre)
        return float(point.real), float(point.imag)


@dataclass(frozen=True)
class Placement:
    """Rigid motion from an object's own frame into the scan plane, both in mm: mirror, turn, shift."""

    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirror: tuple[int, int] = (1, 1)

    def apply(self, points: Points) -> Points:
        """Points in the scan plane, [n, 2]."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        moved: Points = (points * self.mirror) @ turn + self.shift
        return moved


def normals(points: Points, ends: Sequence[int]) -> Points:
    """Unit normals, [n, 2], of paths that lie one after the other in `points`, [n, 2].

    `ends` holds the index after each path's last point. A path whose first point is repeated at its end is
    closed.
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
    """Outline, [2 n, 2], of a band of the given full widths (mm) about an open centreline, [n, 2]."""
    steps = np.diff(centreline, axis=0)
    tangent = np.concatenate([steps[:1], steps[1:] + steps[:-1], steps[-1:]])
    offset = tangent[:, ::-1] * (-0.5, 0.5) * (widths / np.hypot(tangent[:, 0], tangent[:, 1]))[:, None]
    return np.concatenate([centreline + offset, (centreline - offset)[::-1]])


def closed(outline: Points) -> Points:
    """The outline with its first point repeated at its end, [n + 1, 2]."""
    return outline[np.arange(len(outline) + 1) % len(outline)]


def polygon_area(outline: Points) -> float:
    """Area enclosed by a simple polygon, by the shoelace formula, in the square of the points' unit."""
    x, y = outline[:, 0], outline[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0)


def polygon_mask(outline: Points, size: int) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside the polygon, [size, size].

    `outline` is in pixels, where the centre of the first pixel is (0.5, 0.5). Each row is cut by the
    polygon's edges, and a pixel is inside when an odd number of cuts lies to its left (OpenCV's own filling
    also takes every pixel that the outline touches, which makes small lesions too large).
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
