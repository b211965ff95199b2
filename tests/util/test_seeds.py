"""Seeds depend only on their keys."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.util.seeds import generator, seed_from

keys = st.one_of(st.integers(), st.text(st.characters(exclude_characters="\x1f"), max_size=8))


def test_a_seed_is_the_first_63_bits_of_a_hash_of_its_keys() -> None:
    digest = hashlib.sha256(b"str:view\x1fint:3").digest()
    assert seed_from("view", 3) == int(digest.hex()[:16], 16) // 2


@given(st.lists(keys, max_size=4), st.lists(keys, max_size=4))
def test_equal_seeds_have_the_same_keys_in_the_same_order(first: list[str | int], second: list[str | int]) -> None:
    assert (seed_from(*first) == seed_from(*second)) == (first == second)


@given(st.lists(keys, max_size=4))
def test_a_seed_fits_a_signed_64_bit_integer(some: list[str | int]) -> None:
    assert 0 <= seed_from(*some) < 2**63


def test_a_number_and_its_text_are_different_keys() -> None:
    assert seed_from("fold", 1) != seed_from("fold", "1")


def test_generators_ignore_the_global_state_and_each_other() -> None:
    np.random.seed(0)
    first = generator("a", 1)
    generator("b", 1).random(100)
    drawn = first.random(5)
    np.random.seed(9)
    np.testing.assert_array_equal(drawn, generator("a", 1).random(5))
    assert not np.array_equal(drawn, generator("a", 2).random(5))


def test_another_process_draws_the_same() -> None:
    code = "from medtransfer.util.seeds import generator; print(generator('view', 7, 'é.png').integers(2**60))"
    paths = [path for path in sys.path if path]
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(paths), "PYTHONHASHSEED": "12"},
    )
    assert int(found.stdout) == generator("view", 7, "é.png").integers(2**60)
