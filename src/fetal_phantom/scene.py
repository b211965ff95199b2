"""What lies in the simulated scan plane: regions of tissue and thin reflectors, in painting order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fetal_phantom.geometry import Placement, Points
from fetal_phantom.tissue import Tissue


@dataclass(frozen=True, eq=False)
class Region:
    """A simple polygon, [n, 2] in mm, of one tissue; it covers whatever was painted before."""

    outline: Points
    tissue: Tissue


@dataclass(frozen=True, eq=False)
class Reflector:
    """A smooth interface that mirrors the beam, so it is brightest where the beam meets it at a right angle.

    Attributes:
        path: its course, [n, 2] in mm.
        width_mm: its thickness.
        strength: echo amplitude at a right angle relative to the mean amplitude of uterine muscle; one
            number, or one a point.
    """

    path: Points
    width_mm: float
    strength: float | NDArray[np.float64]


Number = TypeVar("Number", bound=np.generic)
Element = Region | Reflector


@dataclass(frozen=True, eq=False)
class Scene:
    """A square field of view.

    Attributes:
        field_mm: its side; points run from (0, 0) at its top left corner to (field_mm, field_mm).
        background: the tissue where nothing is painted.
        elements: what is painted, first to last.
    """

    field_mm: float
    background: Tissue
    elements: tuple[Element, ...]


def course(element: Element) -> Points:
    """The points, [n, 2] in mm, that give an element its shape."""
    return element.outline if isinstance(element, Region) else element.path


def placed(elements: Sequence[Element], placement: Placement) -> tuple[Element, ...]:
    """The elements carried from their own frame into the scan plane."""
    courses = [course(element) for element in elements]
    moved = parted(placement.apply(np.concatenate(courses)), courses)
    return tuple(
        Region(points, element.tissue)
        if isinstance(element, Region)
        else Reflector(points, element.width_mm, element.strength)
        for element, points in zip(elements, moved, strict=True)
    )


def parted(points: NDArray[Number], like: Sequence[Points]) -> list[NDArray[Number]]:
    """Consecutive pieces of `points` as long as the members of `like`."""
    parts, start = [], 0
    for member in like:
        parts.append(points[start : start + len(member)])
        start += len(member)
    return parts
