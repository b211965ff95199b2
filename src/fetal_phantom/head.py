"""The simulated head as regions and reflectors, in its own frame and in painting order."""

from __future__ import annotations

import numpy as np

from fetal_phantom.anatomy import FALX_POINTS, Head
from fetal_phantom.challenge import VENTRICULOMEGALY_MM
from fetal_phantom.geometry import Ellipse, Points, closed
from fetal_phantom.scene import Element, Reflector, Region
from fetal_phantom.tissue import BONE, CHOROID, FLUID, THALAMUS, Tissue
from fetal_phantom.ventricles import FusedVentricle, LateralVentricles

_SKULL_STRENGTH = 9.0
_WALL_STRENGTH = 1.1
_OUTLINE = 56
_ALONG = np.stack([np.linspace(0.0, 1.0, FALX_POINTS), np.zeros(FALX_POINTS)], axis=1)


def head_elements(head: Head, plane: float) -> tuple[Element, ...]:
    """Return all structures of a head; `plane` scales ventricles and lesion, as another section would."""
    return (*_skull(head), *_sulci(head), *_middle(head), *_ventricles(head, plane), *_lesion(head, plane))


def lesion_outlines(head: Head, plane: float) -> tuple[Points, ...]:
    """Return the outlines of abnormal structures: the cyst or mass, or the enlarged or fused ventricles."""
    if head.lesion is not None:
        return (head.lesion.shape.points(scale=plane),)
    width = head.atrial_width_mm
    if width is None or width >= VENTRICULOMEGALY_MM:
        return tuple(head.ventricles.outlines(head.brain_axes, plane))
    return ()


def _skull(head: Head) -> list[Element]:
    inner = head.skull.points(_OUTLINE, grow=-head.skull_mm)
    middle = closed(head.skull.points(_OUTLINE, grow=-head.skull_mm / 2.0))
    direction = np.arctan2(middle[:, 1], middle[:, 0])
    strength = np.full(len(middle), _SKULL_STRENGTH)
    for suture in head.sutures:
        distance = np.angle(np.exp(1j * (direction - suture)))
        strength *= 1.0 - 0.75 * np.exp(-((distance / 0.08) ** 2))
    return [
        Region(head.skull.points(_OUTLINE), BONE),
        Region(inner, head.brain),
        Reflector(middle, head.skull_mm, strength),
    ]


def _sulci(head: Head) -> list[Element]:
    return [Reflector(course, 0.9, 1.6) for course in head.sulci]


def _middle(head: Head) -> list[Element]:
    """Return thalami and midline; with a single ventricle the thalami are fused and the midline is missing."""
    length, breadth = head.brain_axes
    if isinstance(head.ventricles, FusedVentricle):
        return [Region(Ellipse((-0.10 * length, 0.0), (0.2 * length, 0.2 * breadth)).points(), THALAMUS)]
    thalami: list[Element] = [
        Region(Ellipse((-0.06 * length, side * 0.15 * breadth), (0.2 * length, 0.13 * breadth)).points(), THALAMUS)
        for side in (-1, 1)
    ]
    front, back = 0.28 * length, 0.52 * length
    box = np.array([[front, -0.5], [back, -0.5], [back, 0.5], [front, 0.5]]) * (1.0, head.cavum_mm)
    leaves = [_level_line(front, back, side * head.cavum_mm / 2.0) for side in (-1.0, 1.0)]
    falx = [_level_line(-0.97 * length, front, 0.0), _level_line(back, 0.97 * length, 0.0)]
    strengths = np.array_split(np.array(head.falx), 2)
    lines = zip((*falx, *leaves), (*strengths, *strengths), strict=True)
    return [*thalami, Region(box, FLUID), *(Reflector(line, 1.1, strength) for line, strength in lines)]


def _level_line(start: float, end: float, height: float) -> Points:
    return np.array([start, height]) + _ALONG * (end - start)


def _ventricles(head: Head, plane: float) -> list[Element]:
    elements: list[Element] = []
    for outline in head.ventricles.outlines(head.brain_axes, plane):
        elements += [Region(outline, FLUID), Reflector(closed(outline), 0.8, _WALL_STRENGTH)]
    if isinstance(head.ventricles, LateralVentricles):
        plexuses = head.ventricles.choroid_plexuses(head.brain_axes, plane)
        elements += [Region(plexus.points(32), CHOROID) for plexus in plexuses]
    return elements


def _lesion(head: Head, plane: float) -> list[Element]:
    """Return the lesion: a cyst hardly attenuates and its wall is as clear as its contrast; a mass is mottled."""
    if head.lesion is None:
        return []
    echo_db = head.brain.echo_db + head.lesion.contrast_db
    outline = head.lesion.shape.points(scale=plane)
    if head.lesion.kind == "mass":
        return [Region(outline, Tissue(echo_db, attenuation=0.55, mottle_db=4.5))]
    wall = _WALL_STRENGTH * (1.0 - 10.0 ** (head.lesion.contrast_db / 20.0))
    cyst = Tissue(echo_db, attenuation=FLUID.attenuation, mottle_db=FLUID.mottle_db)
    return [Region(outline, cyst), Reflector(closed(outline), 0.8, wall)]
