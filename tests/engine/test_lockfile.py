"""Entries of the lock file are written in DVC's form."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from dvc.utils.serialize import dumps_yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from medtransfer.engine.lockfile import text_of

ODD = "~ , a b, a: b, - a, #, a#b, é, a\n, ', =, !x, &x, *x, {, .., ..., @a, a@b, %TAG, data/a-b_c.d, 2026-01-01, 1:30"
NUMBERS = "no, Yes, null, true, 1e5, 0x1f, 1_000, 0b11, 12345678901234567890123456789e12"
LONG = ["x" * 90, "y " * 50, "1" * 32, "d41d8cd98f00b204e9800998ecf8427e.dir"]
WORDS = st.sampled_from([*ODD.split(", "), *NUMBERS.split(", "), *LONG, ""])
SCALARS = st.one_of(
    WORDS, st.text(max_size=8), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.just(-0.0)
)
KEYS = st.one_of(WORDS, st.text(max_size=8), st.integers(), st.booleans(), st.sampled_from(["lr", "variants.v1"]))
NODES = st.recursive(
    SCALARS, lambda node: st.one_of(st.lists(node, max_size=3), st.dictionaries(KEYS, node, max_size=3)), max_leaves=8
)


@given(st.dictionaries(KEYS, NODES, min_size=1, max_size=4))
def test_entries_are_written_as_dvc_writes_them_or_left_to_it(entry: dict[Any, Any]) -> None:
    assert text_of(entry) in (None, dumps_yaml(entry))


def test_usual_entries_are_not_left_to_dvc() -> None:
    out = OrderedDict(path="models/a", hash="md5", md5="1f8a0f1c0b5d3a9be3c1d7a2b0c4e6f8.dir", size=10, nfiles=2)
    params = {"params.yaml": OrderedDict(common={"lr": 1e-5, "words": ["a", "no"], "none": [], "empty": None})}
    command = 'PYTHONPATH=src python stages/train.py "$DVC_STAGE"'
    entry = {"stages": {"train@a": {"cmd": command, "deps": [out], "params": params, "outs": [dict(out)]}}}
    assert text_of(entry) == dumps_yaml(entry)


@pytest.mark.parametrize("entry", [{}, {"a": DoubleQuotedScalarString("a")}, {"a": {1, 2}}, {"a": "b " * 50}])
def test_other_entries_are_left_to_dvc(entry: dict[str, Any]) -> None:
    assert text_of(entry) is None
