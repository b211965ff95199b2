"""The curvilinear field of view: its polar grid, and the tables that map it to a square image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fetal_phantom.geometry import Points


@dataclass(frozen=True)
class Sector:
    """A fan of beams from a virtual apex above the image; lengths are fractions of the image's side."""

    apex: float  # height of the virtual apex above the image's upper edge
    near: float  # distance from the apex to the face of the probe
    far: float  # distance from the apex to the end of the recorded depth
    half_angle: float  # half the opening angle, radians


SECTORS = (
    Sector(apex=0.30, near=0.33, far=1.28, half_angle=0.66),
    Sector(apex=0.45, near=0.47, far=1.43, half_angle=0.57),
    Sector(apex=0.62, near=0.65, far=1.72, half_angle=0.62),
    Sector(apex=0.38, near=0.42, far=1.36, half_angle=0.52),
    Sector(apex=0.22, near=0.26, far=1.19, half_angle=0.78),
    Sector(apex=0.50, near=0.46, far=1.44, half_angle=0.76),
)


@dataclass(frozen=True, eq=False)
class Grid:
    """Polar samples of a sector for images of one size."""

    sector: Sector  # the field of view
    size: int  # side of the image in pixels
    rows: int  # number of samples along each beam
    columns: int  # number of beams
    table: tuple[NDArray[np.int16], NDArray[np.uint16]]  # OpenCV's maps from a polar frame to an image
    inside: NDArray[np.bool_]  # True for pixels whose centre is in the sector, [size, size]

    @property
    def row_step(self) -> float:
        """Depth from one row to the next, as a fraction of the image's side."""
        return (self.sector.far - self.sector.near) / self.rows

    @cached_property
    def depths(self) -> NDArray[np.float32]:
        """Depth of each row, [rows], as a fraction of the recorded depth."""
        return np.linspace(0.0, 1.0, self.rows, dtype=np.float32)

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """Direction of each beam, [columns], from -1 at the left edge of the sector to 1."""
        return np.linspace(-1.0, 1.0, self.columns, dtype=np.float32)

    def polar(self, points: Points) -> Points:
        """Return column and row, [n, 2], of points given as fractions of the image's side."""
        x, y = points[:, 0] - 0.5, points[:, 1] + self.sector.apex
        column = (np.arctan2(x, y) / self.sector.half_angle + 1.0) * (self.columns / 2.0) - 0.5
        row = (np.hypot(x, y) - self.sector.near) / self.row_step - 0.5
        return np.stack([column, row], axis=1)

    def beams(self, points: Points) -> Points:
        """Return the unit direction of the beam through each point, [n, 2]."""
        direction = points + np.array([-0.5, self.sector.apex])
        unit: Points = direction / np.hypot(direction[:, 0], direction[:, 1])[:, None]
        return unit

    def scan_convert(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map a polar frame, [rows, columns], to the image, [size, size], black outside the sector."""
        image = cv2.remap(frame, *self.table, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.where(self.inside, image, np.uint8(0))


@lru_cache(maxsize=64)
def polar_grid(sector: Sector, size: int) -> Grid:
    """Return the grid for `size` x `size` pixels: rows of about 0.75 pixels, columns of about 1 at middle depth."""
    rows, columns = round(1.3 * size), round(1.1 * size)
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(centres - 0.5, centres + sector.apex)
    radius, angle = np.hypot(x, y), np.arctan2(x, y)
    inside = (np.abs(angle) <= sector.half_angle) & (radius >= sector.near) & (radius <= sector.far)
    column = (angle / sector.half_angle + 1.0) * (columns / 2.0) - 0.5
    row = (radius - sector.near) / (sector.far - sector.near) * rows - 0.5
    table = cv2.convertMaps(column.astype(np.float32), row.astype(np.float32), cv2.CV_16SC2)
    whole, fraction = np.asarray(table[0], np.int16), np.asarray(table[1], np.uint16)
    return Grid(sector, size, rows, columns, (whole, fraction), inside)
