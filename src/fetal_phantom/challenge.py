"""How the difficulty of the simulated data set sets the ranges that everything is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# At this width of the atrium or more the ventricle counts as enlarged: ISUOG Practice Guidelines (updated),
# sonographic examination of the fetal central nervous system, part 1, Ultrasound Obstet Gynecol 2020.
VENTRICULOMEGALY_MM = 10.0

Ends = tuple[float, float]


@dataclass(frozen=True)
class Range:
    """An interval to draw from with equal density."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """A value in the interval."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Challenge:
    """Ranges that depend on the difficulty.

    Attributes:
        normal_atrium_mm: atrial width of a normal ventricle; always below 10 mm.
        enlarged_atrium_mm: atrial width in ventriculomegaly; always above 10 mm.
        lesion_radius: mean radius of a cyst or mass, as a share of the brain's half width.
        cyst_contrast_db: echo of a cyst relative to the brain.
        mass_contrast_db: echo of a mass relative to the brain.
        falx_strength: echo amplitude of the midline relative to uterine muscle.
        monoventricle_width: width of the fused ventricle, as a share of the brain's half width.
        grain: size of the resolution cell relative to a good transducer.
        smoothing: share of the image that comes from the scanner's own speckle reduction.
        clutter_db: level of the echoes that do not belong to the place where they are shown.
        gain_db: departure of the gain from a well set one.
        compensation_db: standard deviation of the faults of the time-gain compensation at its sliders.
        reverberation: amplitude of repeated echoes of reflectors.
        shadow_db: loss behind an obstacle between probe and head.
        shadow_chance: probability of such an obstacle.
    """

    normal_atrium_mm: Range
    enlarged_atrium_mm: Range
    lesion_radius: Range
    cyst_contrast_db: Range
    mass_contrast_db: Range
    falx_strength: Range
    monoventricle_width: Range
    grain: Range
    smoothing: Range
    clutter_db: Range
    gain_db: Range
    compensation_db: Range
    reverberation: Range
    shadow_db: Range
    shadow_chance: float

    @classmethod
    def of(cls, difficulty: float) -> Challenge:
        """Ranges at a difficulty from 0 (easy) over 0.5 (the default) to 1 (hard even to experts).

        Raises:
            ValueError: when the difficulty is outside [0, 1].
        """
        if not 0.0 <= difficulty <= 1.0:
            raise ValueError(f"difficulty must lie in [0, 1], got {difficulty}")

        def between(easy: Ends, default: Ends, hard: Ends) -> Range:
            low, high = (_interpolated(difficulty, values) for values in zip(easy, default, hard, strict=True))
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
            shadow_chance=_interpolated(difficulty, (0.0, 0.4, 0.9)),
        )


def _interpolated(difficulty: float, values: tuple[float, ...]) -> float:
    """Between values at the difficulties 0, 0.5 and 1."""
    return float(np.interp(difficulty, (0.0, 0.5, 1.0), values))
