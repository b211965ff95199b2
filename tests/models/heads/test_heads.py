"""The registry of heads, and the dense heads layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from medtransfer.models.heads import HEADS, Head, build_head
from medtransfer.models.heads.linear import LinearHead
from medtransfer.models.heads.mlp import MLPHead
from medtransfer.study import Strategy
from medtransfer.util.errors import UserError

FEATURES = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
CLASSIFIER = [nn.Linear(6, 10), nn.ReLU(), nn.Dropout(0.2), nn.Linear(10, 7, bias=False)]


def built(**fields: Any) -> Head:
    return build_head(Strategy().model_copy(update=fields), 6, 3, CLASSIFIER)


def test_a_linear_head_is_one_matrix_product() -> None:
    head = LinearHead(6, 3, dropout=0.5).eval()
    weight, bias = head.parameters()
    torch.testing.assert_close(head(FEATURES), FEATURES @ weight.T + bias)


def test_an_mlp_head_is_two_matrix_products_and_a_relu() -> None:
    head = MLPHead(6, 3, hidden=4, dropout=0.5).eval()
    first, first_bias, second, second_bias = head.parameters()
    hidden = (FEATURES @ first.T + first_bias).clamp(min=0)
    torch.testing.assert_close(head(FEATURES), hidden @ second.T + second_bias)


def test_the_batch_norm_of_an_mlp_head_precedes_its_relu() -> None:
    head = MLPHead(6, 3, hidden=4, head_batch_norm=True).train()
    found = head(FEATURES)
    first, first_bias, _, _, second, second_bias = head.parameters()
    hidden = FEATURES @ first.T + first_bias
    scaled = (hidden - hidden.mean(dim=0)) / (hidden.var(dim=0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(found, scaled.clamp(min=0) @ second.T + second_bias)


def test_dropout_acts_only_in_training() -> None:
    torch.manual_seed(0)
    for head in (LinearHead(6, 3, dropout=0.5), MLPHead(6, 3, hidden=32, dropout=0.5)):
        assert not torch.equal(head.train()(FEATURES), head(FEATURES))
        assert torch.equal(head.eval()(FEATURES), head(FEATURES))


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({"head": "linear"}, 6 * 3 + 3),
        ({"head": "mlp", "hidden": 10}, 6 * 10 + 10 + 10 * 3 + 3),
        ({"head": "mlp", "hidden": 10, "head_batch_norm": True}, 6 * 10 + 10 + 2 * 10 + 10 * 3 + 3),
        ({"head": "own"}, 6 * 10 + 10 + 10 * 3),
        ({"head": "logistic"}, 6 * 3 + 3),
        ({"head": "knn"}, 0),
        ({"head": "prototypes"}, 0),
    ],
)
def test_each_strategy_gets_its_head(fields: dict[str, Any], parameters: int) -> None:
    head = built(**fields)
    assert type(head) is HEADS[fields["head"]]
    assert sum(parameter.numel() for parameter in head.parameters()) == parameters


@pytest.mark.parametrize(
    ("head", "dropout", "expected"),
    [("linear", None, 0.0), ("linear", 0.4, 0.4), ("mlp", None, 0.0), ("mlp", 0.4, 0.4), ("own", None, 0.2),
     ("own", 0.4, 0.4)],
)  # fmt: skip
def test_a_head_has_the_dropout_of_its_strategy(head: str, dropout: float | None, expected: float) -> None:
    layers = [layer for layer in built(head=head, dropout=dropout).modules() if isinstance(layer, nn.Dropout)]
    assert [layer.p for layer in layers] == [expected]


def test_an_own_head_leaves_the_backbones_layers_alone() -> None:
    before = [parameter.clone() for layer in CLASSIFIER for parameter in layer.parameters()]
    head = built(head="own", dropout=0.9)
    nn.init.zeros_(head[0].weight)
    assert CLASSIFIER[2].p == 0.2
    assert all(map(torch.equal, before, (parameter for layer in CLASSIFIER for parameter in layer.parameters())))


@pytest.mark.parametrize("name", [name for name, kind in HEADS.items() if kind.fitted])
def test_fitted_heads_separate_easy_classes(name: str) -> None:
    labels = torch.arange(30) % 3
    noise = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    features = 5 * functional.one_hot(labels, 6).float() + 0.1 * noise
    head = built(head=name)
    head.fit(features, labels)
    with torch.no_grad():
        scores = head(features)
    assert scores.dtype == torch.float32
    assert torch.equal(scores.argmax(dim=1), labels)


def test_a_nearest_neighbour_head_has_the_strategys_number_of_neighbours() -> None:
    head = built(head="knn", neighbours=1)
    head.fit(torch.eye(3), torch.arange(3))
    torch.testing.assert_close(head(torch.eye(3)).exp().max(dim=1).values, torch.full((3,), (1 + 1 / 3) / 2))


def test_a_head_that_trains_over_epochs_cannot_be_fitted() -> None:
    with pytest.raises(TypeError, match="LinearHead is trained over epochs, not fitted"):
        LinearHead(6, 3).fit(FEATURES, torch.zeros(8, dtype=torch.long))


def test_an_unknown_head_names_the_nearest_one() -> None:
    with pytest.raises(UserError, match="no head 'logistics'; did you mean 'logistic'"):
        built(head="logistics")


def test_a_head_from_outside_gets_only_the_fields_in_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    class Narrow(Head):
        def __init__(self, width: int, classes: int, *, hidden: int) -> None:
            super().__init__()
            self.given = (width, classes, hidden)

    monkeypatch.setattr(HEADS, "_items", dict(HEADS))
    HEADS.register("narrow", Narrow)
    assert built(head="narrow", hidden=9).given == (6, 3, 9)
