"""Attentive pooling against its formula, and trained on cached tokens against the whole network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import tiny_prepared
from frozen import FLIPS, assert_same_results, inputs_of, train

from medtransfer.models.heads.attention import AttentionHead
from medtransfer.training import runs


def test_a_query_attends_to_all_tokens() -> None:
    torch.manual_seed(0)
    head, tokens = AttentionHead(192, 3).eval(), torch.randn(2, 7, 192)
    assert head.attention.num_heads == 3
    weights = head.attention.in_proj_weight.split(192)
    values = torch.nn.functional.layer_norm(tokens, (192,))
    query, keys, values = head.query[0, 0] @ weights[0].T, values @ weights[1].T, values @ weights[2].T
    found = []
    for part in range(3):
        columns = slice(64 * part, 64 * (part + 1))
        attention = (keys[..., columns] @ query[columns] / 8).softmax(dim=1)
        found.append(torch.einsum("nt,ntc->nc", attention, values[..., columns]))
    pooled = head.query[0, 0] + torch.cat(found, dim=1) @ head.attention.out_proj.weight.T
    expected = head.dense(torch.nn.functional.layer_norm(pooled, (192,)))
    torch.testing.assert_close(head(tokens), expected)


@pytest.mark.parametrize("model", ["cnn_small", pytest.param("timm/vit_tiny_patch16_224", marks=pytest.mark.slow)])
def test_it_learns_the_same_on_cached_tokens_as_on_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    prepared = tiny_prepared(tmp_path / "set")
    inputs = inputs_of(prepared, tmp_path, FLIPS, model=model, head="attention", epochs=2)
    train(inputs, tmp_path / "cached")
    with monkeypatch.context() as uncached:
        uncached.setattr(runs, "embedder_of", lambda *_: None)
        train(inputs, tmp_path / "images")
    assert_same_results(inputs, tmp_path / "cached", tmp_path / "images")
