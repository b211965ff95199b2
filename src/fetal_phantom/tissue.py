"""Acoustic properties of the simulated tissues.

Levels are relative and of the order seen in fetal scans: anechoic fluid, a dark brain, an echogenic choroid plexus,
bright and strongly attenuating bone. Soft tissue attenuates by about 0.5 dB/cm/MHz one way, that is 0.35 dB/mm round
trip at 3.5 MHz, while fluid hardly attenuates; this difference alone produces the posterior enhancement behind fluid
(Szabo, Diagnostic Ultrasound Imaging: Inside Out, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LOWEST_ECHO_DB = -60.0
HIGHEST_ECHO_DB = 15.0
HIGHEST_ATTENUATION = 3.0
HIGHEST_MOTTLE_DB = 12.0


@dataclass(frozen=True)
class Tissue:
    """Scattering and attenuation of a tissue."""

    echo_db: float  # mean backscatter amplitude relative to uterine muscle, -60 to 15 dB
    attenuation: float  # round-trip loss, 0 to 3 dB/mm
    mottle_db: float  # standard deviation of the coarse variation of the backscatter, 0 to 12 dB

    def shifted(self, echo_db: float) -> Tissue:
        """Return the tissue with its backscatter raised by `echo_db`."""
        return replace(self, echo_db=self.echo_db + echo_db)

    def code(self) -> tuple[int, int, int]:
        """Return the three properties as 8-bit levels of their ranges, for painting."""
        return (
            _level(self.echo_db, LOWEST_ECHO_DB, HIGHEST_ECHO_DB),
            _level(self.attenuation, 0.0, HIGHEST_ATTENUATION),
            _level(self.mottle_db, 0.0, HIGHEST_MOTTLE_DB),
        )


def _level(value: float, lowest: float, highest: float) -> int:
    return round(255 * (min(max(value, lowest), highest) - lowest) / (highest - lowest))


UTERUS = Tissue(echo_db=0.0, attenuation=0.35, mottle_db=3.5)
PLACENTA = Tissue(echo_db=3.0, attenuation=0.35, mottle_db=2.0)
FLUID = Tissue(echo_db=-48.0, attenuation=0.02, mottle_db=0.0)
BONE = Tissue(echo_db=-4.0, attenuation=0.9, mottle_db=2.0)
BRAIN = Tissue(echo_db=-17.0, attenuation=0.28, mottle_db=3.0)
THALAMUS = Tissue(echo_db=-21.0, attenuation=0.28, mottle_db=1.0)
CHOROID = Tissue(echo_db=-3.0, attenuation=0.35, mottle_db=2.5)
