"""Training losses: of class scores against label shares, and of the scores of pixels against masks.

To add one, register a function in `CLASS_LOSSES`, `GRADE_LOSSES` or `MASK_LOSSES`. Its keyword-only parameters are its
options, set in the `loss` section of a strategy; a loss with the parameter `weight` can be weighted by class, and is
then passed one weight per class.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from medtransfer.data.images.packed import IGNORED
from medtransfer.models.torchvision_models import library
from medtransfer.study import Loss
from medtransfer.study.section import NotNegative, Positive
from medtransfer.util.registry import Registry, with_options

LossFunction = Callable[..., torch.Tensor]

CLASS_LOSSES: Registry[LossFunction] = Registry("loss")
"""Functions of logits [n, classes], float32, and label shares [n, classes] that return each image's loss, [n].

Classes are dimension 1, as in torch's own losses; a function that treats further dimensions as more images, and its
`weight` as any tensor that fits, serves heads that train together. Any other trains heads one by one.
"""

GRADE_LOSSES: Registry[LossFunction] = Registry("loss")
"""As `CLASS_LOSSES`, for classes with an order."""

MASK_LOSSES: Registry[LossFunction] = Registry("loss")
"""Functions of logits [n, classes, h, w], float32, and class numbers [n, h, w], int64, that return the mean loss."""

LIBRARY = "segmentation_models_pytorch.losses"
SMOOTHING = 1.0
"""Pixels added to numerator and denominator of Dice and Tversky."""


@CLASS_LOSSES.entry("cross_entropy")
def cross_entropy(logits: torch.Tensor, shares: torch.Tensor, *, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Return the cross-entropy in nats."""
    terms = shares * functional.log_softmax(logits, dim=1)
    return -(terms if weight is None else terms * weight).sum(dim=1)


@CLASS_LOSSES.entry("binary_cross_entropy")
def binary_cross_entropy(
    logits: torch.Tensor, shares: torch.Tensor, *, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean over classes of the binary cross-entropy of each class with the others, in nats."""
    return functional.binary_cross_entropy_with_logits(logits, shares, weight, reduction="none").mean(dim=1)


@CLASS_LOSSES.entry("focal")
def class_focal(
    logits: torch.Tensor, shares: torch.Tensor, *, weight: torch.Tensor | None = None, gamma: NotNegative = 2.0
) -> torch.Tensor:
    """Return the focal loss of the softmax (Lin et al. 2017): images that are surely right count less.

    gamma: the cross-entropy of a class counts by (1 - probability) to this power.
    """
    log_probabilities = functional.log_softmax(logits, dim=1)
    rest = (-torch.expm1(log_probabilities)).clamp_min(torch.finfo(log_probabilities.dtype).tiny)
    terms = shares * rest**gamma * log_probabilities
    return -(terms if weight is None else terms * weight).sum(dim=1)


GRADE_LOSSES.register("cross_entropy", cross_entropy)
GRADE_LOSSES.register("focal", class_focal)


@GRADE_LOSSES.entry("cumulative_logits")
def cumulative_logits(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the sum of the binary cross-entropies of "above grade k", of images that are at least of grade k.

    CORN (Shi, Cao and Raschka 2023): logits [n, grades - 1] are those of these conditional probabilities, whose
    products never rank grades inconsistently. Shares of two grades count as so many images of each.
    """
    at_least = shares.flip(1).cumsum(1).flip(1)
    reached, passed = at_least[:, :-1], at_least[:, 1:]
    above, below = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    return -(passed * above + (reached - passed) * below).sum(dim=1)


@GRADE_LOSSES.entry("coral")
def coral(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the sum of the binary cross-entropies of "above grade k" (CORAL: Cao, Mirjalili and Raschka 2020).

    logits [n, grades - 1] share one score, to which each adds a bias; see `SharedSteps`.
    """
    passed = shares.flip(1).cumsum(1).flip(1)[:, 1:]
    return functional.binary_cross_entropy_with_logits(logits, passed, reduction="none").sum(dim=1)


@GRADE_LOSSES.entry("earth_mover")
def earth_mover(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the sum of the squared differences of the cumulative probabilities (Hou, Yu and Samaras 2016).

    It is also called the ranked probability score, and is least, on average, for the true probabilities.
    """
    return (functional.softmax(logits, dim=1) - shares).cumsum(dim=1)[:, :-1].square().sum(dim=1)


@GRADE_LOSSES.entry("squared_error")
def squared_error(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the squared error of a regression on the number of the grade: the mean of the softmax."""
    return (mean_grade(functional.softmax(logits, dim=1)) - mean_grade(shares)).square()


def mean_grade(shares: torch.Tensor) -> torch.Tensor:
    """Average the numbers of the grades: [n, ...] of shares [n, grades, ...]."""
    return (shares.movedim(1, -1) * torch.arange(shares.shape[1], device=shares.device)).sum(dim=-1)


@MASK_LOSSES.entry("cross_entropy")
def pixel_cross_entropy(
    logits: torch.Tensor, masks: torch.Tensor, *, weight: torch.Tensor | None = None, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Return the mean cross-entropy over pixels."""
    return functional.cross_entropy(logits, masks, weight=weight, label_smoothing=label_smoothing)


@MASK_LOSSES.entry("binary_cross_entropy")
def pixel_binary_cross_entropy(
    logits: torch.Tensor, masks: torch.Tensor, *, weight: torch.Tensor | None = None, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Return the mean binary cross-entropy over pixels and classes, the background among them."""
    classes = logits.shape[1]
    shares = _smoothed(functional.one_hot(masks, classes).movedim(-1, 1).to(logits.dtype), label_smoothing, classes)
    weight = None if weight is None else weight.view(1, -1, 1, 1)
    return functional.binary_cross_entropy_with_logits(logits, shares, weight=weight)


@MASK_LOSSES.entry("dice")
def dice(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return 1 - Dice (Milletari et al. 2016), averaged over the classes present in the batch except background.

    All pixels of a batch count as one image, so that small lesions, and images without any, cost what they are worth.
    """
    return library(LIBRARY).DiceLoss("multiclass", classes=_foreground(logits), smooth=SMOOTHING)(logits, masks)


@MASK_LOSSES.entry("dice_cross_entropy")
def dice_cross_entropy(
    logits: torch.Tensor, masks: torch.Tensor, *, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the sum of `cross_entropy` and `dice`."""
    return functional.cross_entropy(logits, masks, weight=weight) + dice(logits, masks)


@MASK_LOSSES.entry("focal")
def focal(logits: torch.Tensor, masks: torch.Tensor, *, gamma: NotNegative = 2.0) -> torch.Tensor:
    """Return the focal loss of each class by itself (Lin et al. 2017); easy pixels are discounted by power `gamma`."""
    return library(LIBRARY).FocalLoss("multiclass", gamma=gamma)(logits, masks)


@MASK_LOSSES.entry("tversky")
def tversky(logits: torch.Tensor, masks: torch.Tensor, *, alpha: Positive = 0.3, beta: Positive = 0.7) -> torch.Tensor:
    """Return 1 - Tversky index (Salehi et al. 2017), averaged as `dice`.

    False positives are weighted by `alpha`, false negatives by `beta`.
    """
    foreground = _foreground(logits)
    loss = library(LIBRARY).TverskyLoss("multiclass", alpha=alpha, beta=beta, classes=foreground, smooth=SMOOTHING)
    return loss(logits, masks)


def _foreground(logits: torch.Tensor) -> list[int]:
    return list(range(1, logits.shape[1]))


def _smoothed(shares: torch.Tensor, smoothing: float, classes: int) -> torch.Tensor:
    return shares * (1 - smoothing) + smoothing / classes if smoothing else shares


class ImageLoss(nn.Module):
    """A loss of images, which is the mean of each one's.

    outputs, targets: how many an image has. constants: what the loss takes from the training rows, [constants], such as
    weights of classes; None if nothing.
    """

    constants: torch.Tensor | None

    def __init__(self, outputs: int, targets: int, constants: torch.Tensor | None = None) -> None:
        super().__init__()
        self._outputs, self._targets = outputs, targets
        self.register_buffer("constants", constants)

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss over images of logits [n, outputs] and targets [n, outputs]."""
        return self.each(logits, targets, self.constants).mean()

    def each(self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of each image, [n, ...], of logits and targets [n, outputs, ...].

        constants: [constants], or [n, constants, 1] where heads train together.
        """
        raise NotImplementedError

    def scored(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits in the form in which the task scores them; most do as they are."""
        return logits

    def takes_more_dimensions(self) -> bool:
        """Whether `each` treats dimensions after that of the outputs as more images; found by trying."""
        logits = torch.linspace(-2, 2, 8 * self._outputs).view(2, -1, 4).sin()
        targets = torch.linspace(-3, 2, 8 * self._targets).view(2, -1, 4).softmax(dim=1)
        one = None if self.constants is None else self.constants.cpu()
        try:
            found = self.each(logits, targets, None if one is None else one.expand(2, -1)[..., None])
            alone = [self.each(logits[..., number], targets[..., number], one) for number in range(4)]
            return torch.allclose(found, torch.stack(alone, dim=-1))
        except (RuntimeError, IndexError):
            return False


class ClassLoss(ImageLoss):
    """A loss of classes, with label smoothing towards the uniform distribution and weights of classes.

    losses: the registry that has it. outputs: the number of the network's; by default that of the classes.
    """

    def __init__(
        self,
        loss: Loss,
        class_counts: np.ndarray,
        losses: Registry[LossFunction] = CLASS_LOSSES,
        outputs: int | None = None,
    ) -> None:
        classes = len(class_counts)
        super().__init__(outputs or classes, classes, class_weights(loss, class_counts))
        self.loss, self._function = loss, with_options(losses[loss.kind], loss.model_dump())
        self._smoothing = loss.label_smoothing

    def scored(self, logits: torch.Tensor) -> torch.Tensor:
        """Return values of which the largest is that of the predicted class."""
        return probabilities(logits, self.loss) if self.loss.kind in OF_GRADES else logits

    def each(self, logits: torch.Tensor, targets: torch.Tensor, constants: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of each image against shares of classes; constants are the weights of classes."""
        shares = _smoothed(targets, self._smoothing, targets.shape[1])
        return self._function(logits.float(), shares, **_weighted(constants))


class MaskLoss(nn.Module):
    """A loss of `MASK_LOSSES`, with weights of classes by their pixels."""

    weight: torch.Tensor | None

    def __init__(self, loss: Loss, class_pixels: np.ndarray, ignores: bool = False) -> None:
        super().__init__()
        self._function = with_options(MASK_LOSSES[loss.kind], loss.model_dump())
        self._ignores = ignores
        self.register_buffer("weight", class_weights(loss, class_pixels))

    def forward(self, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of logits [n, classes, h, w] and class numbers [n, h, w].

        If some pixels are `IGNORED`, the loss is that of one image of a column of all others.
        """
        logits, masks = logits.float(), masks.long()
        if self._ignores:
            judged = masks != IGNORED
            logits, masks = logits.movedim(1, -1)[judged].T[None, :, :, None], masks[judged][None, :, None]
            if not masks.numel():
                return logits.sum()
        return self._function(logits, masks, **_weighted(self.weight))


def _weighted(weight: torch.Tensor | None) -> dict[str, torch.Tensor]:
    return {} if weight is None else {"weight": weight}


def class_weights(loss: Loss, counts: np.ndarray) -> torch.Tensor | None:
    """Return n / (classes x count) for each class if balanced, as in scikit-learn; None for equal weights."""
    if loss.class_weights != "balanced":
        return None
    return torch.tensor(counts.sum() / (len(counts) * np.maximum(counts, 1)), dtype=torch.float32)


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Return the softmax over dimension 1, float32."""
    return logits.float().softmax(dim=1)


def scaled_sigmoids(logits: torch.Tensor) -> torch.Tensor:
    """Return sigmoids divided by their sum over dimension 1, float32."""
    scores = logits.double().sigmoid()
    return (scores / scores.sum(dim=1, keepdim=True)).float()


def conditional_products(logits: torch.Tensor) -> torch.Tensor:
    """Return probabilities [n, grades], float32, from logits [n, grades - 1] of passing; see `cumulative_logits`."""
    above = functional.logsigmoid(logits.double()).cumsum(dim=1).exp()  # ONNX has no product of this kind
    ends = (0, 0) * (logits.ndim - 2)
    at_least = functional.pad(functional.pad(above, (*ends, 1, 0), value=1.0), (*ends, 0, 1))
    return (at_least[:, :-1] - at_least[:, 1:]).float()


def differences_of_steps(logits: torch.Tensor) -> torch.Tensor:
    """Return probabilities [n, grades], float32, from logits [n, grades - 1] of being above each grade; see `coral`.

    A step that is more probable than the one before it counts as much as that one.
    """
    steps = list(logits.double().sigmoid().unbind(dim=1))
    for number in range(1, len(steps)):  # ONNX has no running minimum
        steps[number] = torch.minimum(steps[number], steps[number - 1])
    at_least = torch.stack([torch.ones_like(steps[0]), *steps, torch.zeros_like(steps[0])], dim=1)
    return (at_least[:, :-1] - at_least[:, 1:]).float()


def neighbours_of_mean(logits: torch.Tensor) -> torch.Tensor:
    """Return the probabilities, float32, of the two grades next to the mean of the softmax, whose mean it is."""
    mean = mean_grade(logits.double().softmax(dim=1)).unsqueeze(1)
    grades = torch.arange(logits.shape[1], device=logits.device).view(1, -1, *[1] * (logits.ndim - 2))
    return (1 - (grades - mean).abs()).clamp_min(0).float()


OF_GRADES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "coral": differences_of_steps,
    "cumulative_logits": conditional_products,
    "squared_error": neighbours_of_mean,
}
"""The same for losses whose largest logit need not be the predicted class's."""

PROBABILITIES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "binary_cross_entropy": scaled_sigmoids,
    **OF_GRADES,
}
"""Functions from logits [n, classes] to probabilities, by class loss; the default is `softmax`."""


def probabilities(logits: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Return the class probabilities of logits [n, classes] trained with `loss`."""
    return PROBABILITIES.get(loss.kind, softmax)(logits)
