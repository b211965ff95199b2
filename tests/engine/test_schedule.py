"""Stages of random graphs with random failures start in order, and all that can run do run."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.engine.schedule import ALWAYS, Schedule, State, _reason, affected
from medtransfer.util.errors import UserError


@st.composite
def needs(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    """Draw up to 12 stages, each with some of the earlier ones upstream."""
    names = [f"s{number:02}" for number in range(draw(st.integers(1, 12)))]
    return {
        name: frozenset(draw(st.sets(st.sampled_from(names[:number]), max_size=3)) if number else ())
        for number, name in enumerate(names)
    }


def graph_of(needs: dict[str, frozenset[str]]) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((name, upstream) for name, found in needs.items() for upstream in found)
    return graph


@given(needs(), st.data())
def test_stages_run_after_their_upstream_and_only_those_downstream_of_a_failure_are_left_out(
    needs: dict[str, frozenset[str]], data: st.DataObject
) -> None:
    schedule, order = Schedule(needs), []
    failing = data.draw(st.sets(st.sampled_from(list(needs)), max_size=2))
    while not schedule.finished:
        running = schedule.in_state(State.RUNNING)
        startable = schedule.ready() if len(running) < 2 else []
        if startable and (not running or data.draw(st.booleans())):
            schedule.start(startable[0])
            order.append(startable[0])
        else:
            assert running, "nothing runs and nothing can start"
            name = data.draw(st.sampled_from(running))
            schedule.finish(name, name not in failing)
    for number, name in enumerate(order):
        assert needs[name] <= set(order[:number])
    downstream = set().union(*(nx.ancestors(graph_of(needs), name) for name in failing if name in order))
    assert set(schedule.in_state(State.LEFT_OUT)) == downstream
    assert set(schedule.in_state(State.DONE)) == set(needs) - downstream - set(schedule.in_state(State.FAILED))


def test_the_longest_chain_starts_first() -> None:
    training = {f"train@{name}": frozenset[str]() for name in "ab"}
    evaluating = {f"evaluate@{name}": frozenset({f"train@{name}"}) for name in "ab"}
    needs = {"alone": frozenset[str]()} | training | evaluating | {"compare": frozenset(evaluating)}
    schedule, order = Schedule(needs), []
    while ready := schedule.ready():
        schedule.start(ready[0])
        schedule.finish(ready[0], succeeded=True)
        order.append(ready[0])
    assert order == ["train@a", "train@b", "evaluate@a", "evaluate@b", "alone", "compare"]


def test_a_stage_cannot_start_before_its_turn_or_twice() -> None:
    schedule = Schedule({"a": frozenset(), "b": frozenset({"a"})})
    with pytest.raises(ValueError, match="b may not start: it is waiting"):
        schedule.start("b")
    schedule.start("a")
    with pytest.raises(ValueError, match="a may not start: it is running"):
        schedule.start("a")


CHAIN = graph_of(
    {
        "download": frozenset(),
        "prepare": frozenset({"download"}),
        "train@a": frozenset({"prepare"}),
        "train@b": frozenset({"prepare"}),
        "compare": frozenset({"train@a", "train@b"}),
    }
)


@pytest.mark.parametrize(
    ("changed", "targets", "expected"),
    [
        (set(), [], []),
        ({"train@a"}, [], ["train@a", "compare"]),
        ({"prepare"}, ["train@b"], ["prepare", "train@b"]),
        ({"compare"}, ["train@a"], []),
        ({"download", "train@b"}, [], ["download", "prepare", "train@a", "train@b", "compare"]),
    ],
)
def test_changed_stages_run_with_all_downstream_of_them(
    changed: set[str], targets: list[str], expected: list[str]
) -> None:
    assert list(affected(CHAIN, changed, targets)) == expected


def test_an_unknown_target_is_an_error() -> None:
    with pytest.raises(UserError, match="no stage 'train@c'"):
        affected(CHAIN, set(), ["train@c"])


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([ALWAYS], ""),
        (["changed command"], "changed command"),
        ([{"changed deps": {"params.yaml": {"strategies.frozen": "modified"}}}], "strategies.frozen"),
        ([ALWAYS, {"changed deps": {"data/prepared": "modified"}}], "data/prepared"),
        ([{"changed outs": {"models/frozen": "deleted"}}], "models/frozen deleted"),
        ([{"changed deps": dict.fromkeys("abcde", "modified")}], "a, b, c and 2 more"),
    ],
)
def test_what_dvc_says_of_a_stage_is_a_reason_in_a_few_words(entries: list, reason: str) -> None:
    assert _reason(entries) == reason
