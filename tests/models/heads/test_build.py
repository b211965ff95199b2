"""The head that a strategy asks for, and the dense ones layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from medtransfer.models.heads.build import build_head, fit_head
from medtransfer.models.heads.dense import linear_head, mlp_head
from medtransfer.models.heads.knn import NearestNeighbourHead
from medtransfer.models.heads.logistic import LogisticHead
from medtransfer.models.heads.prototypes import PrototypeHead
from medtransfer.study import Strategy

FEATURES = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


def strategy_of(**fields: Any) -> Strategy:
    return Strategy.model_validate(fields)


def test_a_linear_head_is_one_matrix_product() -> None:
    head = linear_head(6, 3, dropout=0.5).eval()
    weight, bias = head.parameters()
    torch.testing.assert_close(head(FEATURES), FEATURES @ weight.T + bias)


def test_an_mlp_head_is_two_matrix_products_and_a_relu() -> None:
    head = mlp_head(6, 3, 4, dropout=0.5, batch_norm=False).eval()
    first, first_bias, second, second_bias = head.parameters()
    hidden = (FEATURES @ first.T + first_bias).clamp(min=0)
    torch.testing.assert_close(head(FEATURES), hidden @ second.T + second_bias)


def test_the_batch_norm_of_an_mlp_head_stands_before_the_relu() -> None:
    head = mlp_head(6, 3, 4, dropout=0.0, batch_norm=True).train()
    found = head(FEATURES)
    first, first_bias, _, _, second, second_bias = head.parameters()
    hidden = FEATURES @ first.T + first_bias
    scaled = (hidden - hidden.mean(dim=0)) / (hidden.var(dim=0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(found, scaled.clamp(min=0) @ second.T + second_bias)


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    for head in (linear_head(6, 3, 0.5), mlp_head(6, 3, 32, 0.5, False)):
        assert not torch.equal(head.train()(FEATURES), head(FEATURES))
        assert torch.equal(head.eval()(FEATURES), head(FEATURES))


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({"head": "linear"}, 6 * 3 + 3),
        ({"head": "mlp", "hidden": 10}, 6 * 10 + 10 + 10 * 3 + 3),
        ({"head": "mlp", "hidden": 10, "head_batch_norm": True}, 6 * 10 + 10 + 2 * 10 + 10 * 3 + 3),
        ({"head": "logistic"}, 6 * 3 + 3),
        ({"head": "knn"}, 0),
        ({"head": "prototypes"}, 0),
    ],
)
def test_a_strategy_gets_its_head(fields: dict[str, Any], parameters: int) -> None:
    head = build_head(strategy_of(**fields), 6, 3)
    assert sum(parameter.numel() for parameter in head.parameters()) == parameters


@pytest.mark.parametrize(("dropout", "expected"), [(None, 0.0), (0.4, 0.4)])
@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_a_strategys_dropout_is_its_heads(head: str, dropout: float | None, expected: float) -> None:
    built = build_head(strategy_of(head=head, dropout=dropout), 6, 3)
    assert [layer.p for layer in built.modules() if isinstance(layer, nn.Dropout)] == [expected]


def test_a_backbones_own_classifier_is_not_built_from_features() -> None:
    with pytest.raises(ValueError, match="expected a head that is built from features, but got 'own'"):
        build_head(strategy_of(head="own"), 6, 3)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("prototypes", PrototypeHead), ("knn", NearestNeighbourHead), ("logistic", LogisticHead)],
)
def test_fitted_heads_learn_what_is_easy(name: str, kind: type[nn.Module]) -> None:
    labels = torch.arange(30) % 3
    features = 5 * functional.one_hot(labels, 6).float() + 0.1 * torch.randn(
        30, 6, generator=torch.Generator().manual_seed(0)
    )
    head = build_head(strategy_of(head=name), 6, 3)
    assert isinstance(head, kind)
    fit_head(head, features, labels)
    with torch.no_grad():
        scores = head(features)
    assert scores.dtype == torch.float32
    assert torch.equal(scores.argmax(dim=1), labels)


def test_a_strategys_number_of_neighbours_is_its_heads() -> None:
    head = build_head(strategy_of(head="knn", neighbours=1), 3, 3)
    fit_head(head, torch.eye(3), torch.arange(3))
    torch.testing.assert_close(head(torch.eye(3)).exp().max(dim=1).values, torch.full((3,), (1 + 1 / 3) / 2))


def test_a_head_that_trains_over_epochs_is_not_fitted() -> None:
    with pytest.raises(TypeError, match="expected a head that is fitted, but got Sequential"):
        fit_head(linear_head(6, 3, 0.0), FEATURES, torch.zeros(8, dtype=torch.long))
