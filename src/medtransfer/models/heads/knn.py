"""k nearest neighbours."""

from __future__ import annotations

import torch
from torch.nn import functional

from medtransfer.models.heads import HEADS, Head


@HEADS.entry("knn")
class NearestNeighbourHead(Head):
    """Classify by the votes of the k nearest training features, by cosine similarity.

    Shares of votes are smoothed by one more vote that is spread over the classes (Laplace's rule), so that no class has
    probability 0; the order of the classes is that of their votes.
    """

    fitted = True
    differentiable = False
    examples: torch.Tensor
    labels: torch.Tensor

    def __init__(self, width: int, classes: int, *, neighbours: int = 5) -> None:
        super().__init__()
        self.classes, self.neighbours = classes, neighbours
        self.register_buffer("examples", torch.zeros(0, width))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.long))

    def fit(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Keep the features [n, width], scaled to length 1, and their labels [n]."""
        self.examples, self.labels = functional.normalize(features, dim=1), labels.clone()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of each class's smoothed share of votes [n, classes]."""
        similarity = functional.normalize(features, dim=1) @ self.examples.T
        nearest = similarity.topk(min(self.neighbours, len(self.examples)), dim=1).indices
        votes = functional.one_hot(self.labels[nearest], self.classes).sum(dim=1)
        return torch.log((votes + 1 / self.classes) / (nearest.shape[1] + 1))

    def _load_from_state_dict(self, state_dict: dict[str, torch.Tensor], prefix: str, *rest: object) -> None:
        """Resize the buffers to the number of examples in the stored head."""
        self.examples = torch.empty_like(state_dict[f"{prefix}examples"])
        self.labels = torch.empty_like(state_dict[f"{prefix}labels"])
        super()._load_from_state_dict(state_dict, prefix, *rest)
