"""What the images of `multilabel_phantom` tell an observer who needs no training.

    python benchmarks/phantom_observer.py    # writes benchmarks/results/phantom_observer.md

The observer knows where the head lies and compares grey levels at the place of a finding with those around it: a
matched filter. Of a cyst or a mass it knows the outline, and looks at an outline drawn as those are on heads without
one; or it knows the mean radius only and searches the head. Of fused ventricles it knows the mean outline. The shape of
the head is that of the ellipse whose skull is brightest. Widths and diameters are the truth, read with an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from workload import ROOT, publish

from fetal_phantom.anatomy import USUAL_INDEX, Head, draw_head
from fetal_phantom.challenge import Challenge, Range
from fetal_phantom.geometry import Ellipse, Placement, Points, polygon_mask
from fetal_phantom.patients import draw_patient, render
from fetal_phantom.ventricles import FusedVentricle, LateralVentricles
from medtransfer.util.text import in_figures, markdown_table

RESAMPLES, WIDTH_MM = 1000, 10.0
INDICES = np.linspace(0.66, 0.90, 49)
SIZES = np.linspace(0.97, 1.03, 13)
"""Cephalic indices, and breadths relative to the true one, that the brightest skull is searched among."""


@dataclass(frozen=True)
class Seen:
    """A frame and what the observer knows of it: the head's outline and place, not what it has."""

    image: NDArray[np.float32]
    head: Head
    plane: float
    place: Placement
    scale: float  # pixels of a mm

    def inside(self, outline: Points) -> NDArray[np.bool_]:
        """Return the pixels inside an outline, which is in the head's frame, [size, size]."""
        return polygon_mask(self.place.apply(outline) * self.scale, len(self.image))

    @property
    def brain(self) -> NDArray[np.bool_]:
        """The pixels inside the skull, without its glare."""
        return self.inside(self.head.skull.points(grow=-2.0 * self.head.skull_mm))

    def step(self, part: NDArray[np.bool_], around: NDArray[np.bool_]) -> float:
        """Return how much darker a part is than what surrounds it."""
        if not part.any() or not around.any():
            return 0.0
        return float(self.image[around].mean() - self.image[part].mean())

    def known(self, shape: Ellipse) -> float:
        """Return the step at a lesion's outline, against a ring of its area around it."""
        part = self.inside(shape.points(scale=self.plane))
        return self.step(part, self.inside(shape.points(scale=1.4 * self.plane)) & ~part & self.brain)

    def searched(self, radius_mm: float) -> NDArray[np.float32]:
        """Return the step at a disc around each place of the brain at which it fits, against a ring around it."""
        brain = self.brain.astype(np.float32)
        radius = radius_mm * self.scale
        disc, larger = _disc(radius), _disc(1.4 * radius)
        ring = larger - np.pad(disc, (len(larger) - len(disc)) // 2)
        means = [
            cv2.filter2D(self.image * brain, -1, kernel) / np.maximum(cv2.filter2D(brain, -1, kernel), 1e-6)
            for kernel in (disc, ring)
        ]
        fits = cv2.erode(brain, disc.astype(np.uint8)) > 0
        return (means[1] - means[0])[fits]

    def ventricles(self, outlines: list[Points], normal: list[Points]) -> float:
        """Return the step of the brain to what some ventricles fill and normal ones do not."""
        filled, usual = (np.any([self.inside(each) for each in group], axis=0) for group in (outlines, normal))
        return self.step(filled & ~usual, self.brain & ~filled & ~usual)

    def index(self) -> float:
        """Return the cephalic index of the ellipse whose skull is brightest."""
        breadth, best = self.head.biparietal_diameter_mm / 2.0, (-np.inf, 0.0)
        for index in INDICES:
            for size in SIZES:
                axes = (breadth * size / index, breadth * size)
                points = Ellipse((0.0, 0.0), axes).points(96, grow=-self.head.skull_mm / 2.0)
                x, y = (self.place.apply(points) * self.scale - 0.5).astype(np.float32).T
                bright = cv2.remap(self.image, x[None], y[None], cv2.INTER_LINEAR).mean()
                best = max(best, (float(bright), float(index)))
        return best[1]


def _disc(radius: float) -> NDArray[np.float32]:
    reach = int(np.ceil(radius))
    across = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
    return (across <= radius).astype(np.float32)


def frames(phantom: dict[str, int | float], seed: int) -> Iterator[tuple[str, set[str], Seen]]:
    """Simulate the frames of the study: the patient, the findings, and the frame."""
    challenge = Challenge.of(phantom["difficulty"])
    for index in range(int(phantom["patients"])):
        patient = draw_patient(seed, index, int(phantom["frames"]), challenge)
        for number in range(1, patient.frames + 1):
            frame = render(patient, number, int(phantom["size"]), seed, challenge)
            side = frame.pixel_spacing_mm * len(frame.image)
            # the section of the head is drawn, too; its mean is what an observer can know
            seen = Seen(
                frame.image.astype(np.float32),
                patient.head,
                0.94,
                frame.view.placement(side),
                1 / frame.pixel_spacing_mm,
            )
            yield patient.name, {patient.label, *patient.head.shapes}, seen


def readings(seen: Seen, has: set[str], challenge: Challenge, rng: np.random.Generator) -> dict[str, float]:
    """Return what the observers read off one frame, larger where they believe a finding more."""
    axes, breadth = seen.head.brain_axes, seen.head.brain_axes[1]
    radius = _mean(challenge.lesion_radius) * breadth
    steps, read = seen.searched(radius), {}
    for kind, sign in (("cyst", 1.0), ("mass", -1.0)):
        lesion = seen.head.lesion if kind in has else draw_head(rng, kind, challenge).lesion
        assert lesion is not None
        read[f"{kind}, outline known"] = sign * seen.known(lesion.shape)
        read[f"{kind}, searched"] = float((sign * steps).max())
    usual = LateralVentricles((WIDTH_MM, WIDTH_MM), 0.5, 0.6).outlines(axes, seen.plane)
    fused = FusedVentricle(_mean(challenge.monoventricle_width), 2.25, 0.45).outlines(axes, seen.plane)
    read["holoprosencephaly, mean outline"] = seen.ventricles(fused, usual)
    width = (seen.head.atrial_width_mm or 0.0) * seen.plane
    read["ventriculomegaly, width to a pixel"] = width + np.sqrt(2.0) / seen.scale * float(rng.standard_normal())
    index = seen.index()
    return read | {"dolichocephaly, brightest skull": -index, "brachycephaly, brightest skull": index}


def _mean(span: Range) -> float:
    return (span.low + span.high) / 2.0


def area(labels: np.ndarray, scores: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> str:
    """Return the area under the ROC curve with an interval from resamples of patients."""
    names, number = np.unique(patients, return_inverse=True)
    members = [np.flatnonzero(number == place) for place in range(len(names))]
    found = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[place] for place in rng.integers(len(names), size=len(names))])
        found.append(roc_auc_score(labels[rows], scores[rows]))
    value, (low, high) = roc_auc_score(labels, scores), np.quantile(found, [0.025, 0.975])
    return f"{in_figures(value)} [{in_figures(low)}, {in_figures(high)}]"


def noisy_index(indices: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Return cephalic indices of which length and breadth are read with an error of a relative deviation."""
    along, across = 1.0 + deviation * rng.standard_normal((2, len(indices)))
    return indices * across / along


def main() -> None:
    """Read all frames and publish the areas."""
    study = yaml.safe_load((ROOT / "studies/multilabel_phantom.yaml").read_text(encoding="utf-8"))
    phantom, seed = study["data"]["phantom"], study["study"]["seed"]
    challenge, rng = Challenge.of(phantom["difficulty"]), np.random.default_rng(0)
    patients, labels, read, truth = [], [], [], []
    for patient, has, seen in frames(phantom, seed):
        patients.append(patient)
        labels.append(has)
        truth.append(seen.head.cephalic_index)
        read.append(readings(seen, has, challenge, rng))
    scores: dict[str, np.ndarray] = {name: np.array([each[name] for each in read]) for name in read[0]}
    for deviation in (0.02, 0.035):
        index = noisy_index(np.array(truth), deviation, rng)
        scores[f"dolichocephaly, diameters to {100 * deviation:g} %"] = -index
        scores[f"brachycephaly, diameters to {100 * deviation:g} %"] = index
    rows = []
    for name in sorted(scores):
        finding, how = name.split(", ")
        marks = np.array([finding in has for has in labels])
        rows.append([finding, how, f"{marks.sum()}", area(marks, scores[name], np.array(patients), rng)])
    for how in ("outline known", "searched"):
        names = [name for name in scores if name.endswith((how, "mean outline", "to a pixel", "brightest skull"))]
        areas = [roc_auc_score([name.split(", ")[0] in has for has in labels], scores[name]) for name in names]
        rows.append(["mean of the six", f"cyst and mass {how}", "", in_figures(float(np.mean(areas)))])
    notes = f"{len(read)} frames of {len(set(patients))} patients, simulated as in the study; intervals over patients."
    usual = f"Usual cephalic indices: {USUAL_INDEX.low} to {USUAL_INDEX.high}."
    publish(
        "phantom_observer",
        markdown_table(["finding", "observer", "frames with it", "ROC-AUC"], rows),
        notes + " " + usual,
    )


if __name__ == "__main__":
    main()
