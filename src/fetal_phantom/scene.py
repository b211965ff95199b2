"""The contents of the simulated scan plane: regions of tissue and thin reflectors, in painting order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fetal_phantom.geometry import Placement, Points
from fetal_phantom.tissue import Tissue


@dataclass(frozen=True, eq=False)
class Region:
    """A simple polygon, [n, 2] in mm, of one tissue; it covers everything painted before."""

    outline: Points
    tissue: Tissue


@dataclass(frozen=True, eq=False)
class Reflector:
    """A smooth interface that mirrors the beam; brightest where the beam meets it at a right angle."""

    path: Points  # points along it, [n, 2] in mm
    width_mm: float  # thickness
    # echo amplitude at a right angle relative to the mean of uterine muscle; one number, or one per point
    strength: float | NDArray[np.float64]


Number = TypeVar("Number", bound=np.generic)
Element = Region | Reflector


@dataclass(frozen=True, eq=False)
class Scene:
    """A square field of view."""

    field_mm: float  # side; points are between (0, 0) in the top left corner and (field_mm, field_mm)
    background: Tissue  # tissue where nothing is painted
    elements: tuple[Element, ...]  # regions and reflectors in painting order


def course(element: Element) -> Points:
    """Return the points of an element, [n, 2] in mm."""
    return element.outline if isinstance(element, Region) else element.path


def placed(elements: Sequence[Element], placement: Placement) -> tuple[Element, ...]:
    """Map elements from their own frame into the scan plane."""
    courses = [course(element) for element in elements]
    moved = parted(placement.apply(np.concatenate(courses)), courses)
    return tuple(
        replace(element, outline=points) if isinstance(element, Region) else replace(element, path=points)
        for element, points in zip(elements, moved, strict=True)
    )


def parted(points: NDArray[Number], like: Sequence[Points]) -> list[NDArray[Number]]:
    """Split `points` into consecutive parts of the lengths of `like`."""
    return np.split(points, np.cumsum([len(member) for member in like])[:-1])
