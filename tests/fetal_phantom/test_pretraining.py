"""The scenes and questions of the pretraining."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetal_phantom import pretraining_set
from fetal_phantom.anatomy import FALX_POINTS
from fetal_phantom.pretraining import QUESTIONS, draw_scenario
from fetal_phantom.scene import Reflector

from .samples import seeds


def test_every_question_has_both_answers() -> None:
    images, answers, questions = pretraining_set(300, 32, 0)
    assert images.shape == (300, 32, 32)
    assert images.dtype == np.uint8
    assert answers.shape == (300, len(questions))
    assert answers.dtype == np.float32
    assert len(set(questions)) == len(questions)
    assert set(np.unique(answers)) == {0.0, 1.0}
    assert ((answers.mean(axis=0) > 0.03) & (answers.mean(axis=0) < 0.97)).all()


@settings(max_examples=5)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**40))
def test_a_smaller_set_is_the_start_of_a_larger_one(first: int, more: int, seed: int) -> None:
    small, large = pretraining_set(first, 32, seed), pretraining_set(first + more, 32, seed)
    assert np.array_equal(small[0], large[0][:first])
    assert np.array_equal(small[1], large[1][:first])
    assert small[2] == large[2]


@settings(max_examples=50)
@given(seeds)
def test_answers_describe_the_scene(seed: int) -> None:
    scenario = draw_scenario(np.random.default_rng(seed))
    answers = dict(zip(QUESTIONS, scenario.answers, strict=True))
    reflectors = [element for element in scenario.scene.elements if isinstance(element, Reflector)]
    lines = [element for element in reflectors if len(element.path) == FALX_POINTS]
    assert answers["midline"] == any(np.any(np.asarray(line.strength) > 0) for line in lines)
    assert sum(answer for question, answer in answers.items() if question.endswith("inclusion")) <= 1
    widths = [answer for question, answer in answers.items() if question.startswith("atrium over")]
    assert widths == sorted(widths, reverse=True)  # over 12 mm is also over 9 mm


def test_answers_do_not_depend_on_the_size() -> None:
    assert np.array_equal(pretraining_set(8, 32, 4)[1], pretraining_set(8, 64, 4)[1])


@pytest.mark.parametrize("wrong", [{"count": -1}, {"size": 8}, {"seed": -2}])
def test_arguments_out_of_range_are_errors(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        pretraining_set(**({"count": 2, "size": 32, "seed": 0} | wrong))
