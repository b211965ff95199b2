"""Fully developed speckle with a depth-dependent resolution cell.

Many unresolved scatterers add up to a circular complex Gaussian echo, whose envelope has a Rayleigh distribution
with a ratio of mean to standard deviation of 1.91 (Burckhardt, IEEE Trans. Sonics Ultrason. 25, 1978; Wagner
et al., IEEE Trans. Sonics Ultrason. 30, 1983).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetal_phantom.sector import Grid

Samples = NDArray[np.float32]

# Standard deviations of the cell for a grain of 1: along the beam as a fraction of the image's side, across it in
# radians, at the focus and far from it.
_AXIAL = 0.0036
_LATERAL_FOCUS = 0.0075
_LATERAL_FAR = 0.014
_FOCAL_ZONE = 0.22
# Samples; a smaller cell would not be resolved, and the speckle would be white noise.
_SMALLEST_CELL = 0.6


@dataclass(frozen=True, eq=False)
class Cells:
    """The point-spread function: kernels of unit sum along and across the beams, and their mix at each depth."""

    axial: Samples  # kernel along the beam, [k]
    focused: Samples  # kernel across the beams at the focus, [m]
    blurred: Samples  # kernel across the beams far from the focus, [m]
    focus_share: Samples  # weight of `focused` in each row, [rows]; the rest is `blurred`

    @property
    def reach(self) -> tuple[int, int]:
        """Reach of the kernels along and across the beams, in samples."""
        return len(self.axial) // 2, len(self.blurred) // 2

    @property
    def inner(self) -> tuple[slice, slice]:
        """All samples of a frame except those within reach of its edges."""
        rows, columns = self.reach
        return slice(rows, -rows), slice(columns, -columns)

    def noise_gain(self) -> Samples:
        """Return the standard deviation of unit white noise after the filter, [rows]."""
        share, rest = self.focus_share, 1.0 - self.focus_share
        lateral = (
            share**2 * np.dot(self.focused, self.focused)
            + 2.0 * share * rest * np.dot(self.focused, self.blurred)
            + rest**2 * np.dot(self.blurred, self.blurred)
        )
        gain: Samples = np.sqrt(lateral * np.dot(self.axial, self.axial)).astype(np.float32)
        return gain


def resolution_cells(grid: Grid, grain: float, focus: float) -> Cells:
    """Return the point-spread function on a grid; `focus` is a fraction of the recorded depth."""
    across = grain * grid.columns / (2.0 * grid.sector.half_angle)
    axial = max(grain * _AXIAL / grid.row_step, _SMALLEST_CELL)
    focused = max(_LATERAL_FOCUS * across, _SMALLEST_CELL)
    blurred = max(_LATERAL_FAR * across, _SMALLEST_CELL)
    width = 2 * round(3.0 * blurred) + 1
    return Cells(
        axial=_gaussian(2 * round(3.0 * axial) + 1, axial),
        focused=_gaussian(width, focused),
        blurred=_gaussian(width, blurred),
        focus_share=np.exp(-(((grid.depths - np.float32(focus)) / np.float32(_FOCAL_ZONE)) ** 2)),
    )


def _gaussian(width: int, deviation: float) -> Samples:
    return np.asarray(cv2.getGaussianKernel(width, deviation, cv2.CV_32F), np.float32).ravel()


def speckle(amplitude: Samples, mirror: Samples, cells: Cells, rng: np.random.Generator) -> Samples:
    """Return the envelope of the echoes of random scatterers and of reflectors, [rows, columns].

    Args:
        amplitude: root mean square of the scatterers' echoes, [rows, columns].
        mirror: amplitude of reflectors, [rows, columns]; they add coherently to the scatterers.
        cells: the point-spread function.
        rng: generator of the scatterers.
    """
    scale = np.float32(np.sqrt(0.5)) / cells.noise_gain()
    spread = _extended(amplitude * scale[:, None], cells)
    echoes = rng.standard_normal((*spread.shape, 2), dtype=np.float32)
    echoes *= spread[..., None]
    echoes[..., 0] += _extended(mirror, cells)
    focused, blurred = (
        cv2.sepFilter2D(echoes, cv2.CV_32F, lateral, cells.axial)[cells.inner]
        for lateral in (cells.focused, cells.blurred)
    )
    seen = blurred + cells.focus_share[:, None, None] * (focused - blurred)
    return np.asarray(cv2.magnitude(seen[..., 0], seen[..., 1]), np.float32)


def _extended(samples: Samples, cells: Cells) -> Samples:
    """Replicate the edges by the reach of the kernels, so that no speckle is lost there."""
    rows, columns = cells.reach
    extended = cv2.copyMakeBorder(samples, rows, rows, columns, columns, cv2.BORDER_REPLICATE)
    return np.asarray(extended, np.float32)


def coarse_noise(rng: np.random.Generator, rows: int, columns: int) -> Samples:
    """Draw smooth noise of about unit variance, [rows, columns], with a grain of a fifteenth of the frame."""
    knots = rng.standard_normal((16, 14), dtype=np.float32) * np.float32(1.25)
    return np.asarray(cv2.resize(knots, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)
