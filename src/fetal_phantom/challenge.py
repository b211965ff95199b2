"""The ranges that the simulation draws from, as functions of the difficulty of the data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Atrial width from which a ventricle is enlarged: ISUOG Practice Guidelines (updated), sonographic examination of
# the fetal central nervous system, part 1, Ultrasound Obstet Gynecol 2020.
VENTRICULOMEGALY_MM = 10.0
# Atrial widths from which ventriculomegaly is mild, moderate (13 to 15 mm) and severe (above 15 mm): Society for
# Maternal-Fetal Medicine, Mild fetal ventriculomegaly, Am J Obstet Gynecol 2018.
GRADES_FROM_MM = (VENTRICULOMEGALY_MM, 13.0, 15.0)


@dataclass(frozen=True)
class Range:
    """An interval with uniform density."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Challenge:
    """Ranges that depend on the difficulty."""

    normal_atrium_mm: Range  # atrial width of a normal ventricle; always below 10 mm
    enlarged_atrium_mm: Range  # atrial width in ventriculomegaly; always above 10 mm
    lesion_radius: Range  # mean radius of a cyst or mass, as a fraction of the brain's half breadth
    cyst_contrast_db: Range  # echo of a cyst relative to the brain
    mass_contrast_db: Range  # echo of a mass relative to the brain
    falx_strength: Range  # echo amplitude of the midline relative to uterine muscle
    monoventricle_width: Range  # width of the fused ventricle, as a fraction of the brain's half breadth
    grain: Range  # size of the resolution cell relative to a good transducer
    smoothing: Range  # weight of the scanner's speckle reduction in the image
    clutter_db: Range  # level of misplaced echoes relative to uterine muscle
    gain_db: Range  # deviation of the gain from a well-set one
    compensation_db: Range  # standard deviation of the errors of the time-gain compensation at its sliders
    reverberation: Range  # amplitude of repeated echoes of reflectors
    shadow_db: Range  # loss behind an obstacle between probe and head
    shadow_chance: float  # probability of such an obstacle

    @classmethod
    def of(cls, difficulty: float) -> Challenge:
        """Return the ranges at a difficulty from 0 (easy) through 0.5 (default) to 1 (hard even for experts).

        Raises:
            ValueError: if the difficulty is outside [0, 1].
        """
        if not 0.0 <= difficulty <= 1.0:
            raise ValueError(f"difficulty must be in [0, 1], got {difficulty}")

        def at(*values: float) -> float:
            """Interpolate between values at the difficulties 0, 0.5 and 1."""
            return float(np.interp(difficulty, (0.0, 0.5, 1.0), values))

        def between(*ranges: tuple[float, float]) -> Range:
            low, high = (at(*ends) for ends in zip(*ranges, strict=True))
            return Range(low, high)

        return cls(
            normal_atrium_mm=between((5.0, 6.5), (5.0, 8.5), (6.5, 9.7)),
            enlarged_atrium_mm=between((15.0, 20.0), (11.0, 20.0), (10.3, 13.0)),
            lesion_radius=between((0.30, 0.42), (0.20, 0.36), (0.12, 0.22)),
            cyst_contrast_db=between((-30.0, -26.0), (-28.0, -18.0), (-15.0, -10.0)),
            mass_contrast_db=between((16.0, 20.0), (11.0, 17.0), (5.0, 9.0)),
            falx_strength=between((2.4, 3.4), (0.9, 2.6), (0.6, 1.6)),
            monoventricle_width=between((0.44, 0.52), (0.24, 0.42), (0.16, 0.28)),
            grain=between((0.9, 1.1), (0.9, 1.5), (1.3, 2.0)),
            smoothing=between((0.6, 0.7), (0.2, 0.6), (0.0, 0.3)),
            clutter_db=between((-38.0, -34.0), (-36.0, -27.0), (-28.0, -22.0)),
            gain_db=between((-2.0, 2.0), (-6.0, 6.0), (-9.0, 9.0)),
            compensation_db=between((0.5, 1.0), (1.0, 3.0), (3.0, 5.0)),
            reverberation=between((0.0, 0.04), (0.0, 0.12), (0.08, 0.2)),
            shadow_db=between((3.0, 5.0), (4.0, 12.0), (10.0, 20.0)),
            shadow_chance=at(0.0, 0.4, 0.9),
        )
