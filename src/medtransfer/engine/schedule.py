"""Which stages a run has to look at, as DVC sees them, and which of them may start next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import networkx as nx

from medtransfer.study import load_study
from medtransfer.study.code import changes, code_files
from medtransfer.util.errors import ELSEWHERE, UserError, near
from medtransfer.util.places import HERE, VERSION, shipped

CHECK = "check"
ALWAYS = "always changed"
"""What DVC says of a stage that runs every time."""
NEVER = "not run yet"
MOST_REASONS = 3


class State(Enum):
    """The state of a stage."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LEFT_OUT = "left out"


class Schedule:
    """The stages of a run and their states.

    needs: the upstream stages of each stage, in an order in which they can run; those that are not part of the run
    count as done. Stages with the longest chain of others after them start first, so that no worker waits for one of
    these chains at the end.
    """

    def __init__(self, needs: Mapping[str, frozenset[str]]) -> None:
        self.needs = {name: upstream & needs.keys() for name, upstream in needs.items()}
        chain = dict.fromkeys(needs, 0)
        for name in list(needs)[::-1]:
            for upstream in self.needs[name]:
                chain[upstream] = max(chain[upstream], chain[name] + 1)
        self.states = dict.fromkeys(sorted(needs, key=lambda name: -chain[name]), State.WAITING)

    def ready(self) -> list[str]:
        """List the stages that may start now: those whose upstream stages are done."""
        return [name for name in self.in_state(State.WAITING) if self._may_start(name)]

    def _may_start(self, name: str) -> bool:
        return all(self.states[upstream] is State.DONE for upstream in self.needs[name])

    def start(self, name: str) -> None:
        """Mark a stage as running. Raises `ValueError` if it may not start."""
        if self.states[name] is not State.WAITING or not self._may_start(name):
            raise ValueError(f"{name} may not start: it is {self.states[name].value}")
        self.states[name] = State.RUNNING

    def finish(self, name: str, succeeded: bool) -> None:
        """Mark a stage as done or failed; after a failure, leave out everything downstream of it."""
        self.states[name] = State.DONE if succeeded else State.FAILED
        if not succeeded:
            self._leave_out_downstream(name)

    def in_state(self, state: State) -> list[str]:
        """List the stages in a state."""
        return [name for name, found in self.states.items() if found is state]

    @property
    def finished(self) -> bool:
        """Whether nothing is running and nothing will."""
        return not self.in_state(State.WAITING) and not self.in_state(State.RUNNING)

    def _leave_out_downstream(self, name: str) -> None:
        for other, upstream in self.needs.items():
            if name in upstream and self.states[other] is State.WAITING:
                self.states[other] = State.LEFT_OUT
                self._leave_out_downstream(other)


def stages_expected() -> tuple[dict[str, str], dict[str, frozenset[str]]]:
    """Return the stages that `dvc repro` would run, in a valid order, with the reason and the upstream stages of each.

    What `check` would tell a stage counts, too: other code, other corrected labels, a backbone that is newly used.
    """
    graph, changed = _graph_and_changes()
    reasons = {name: reason for name, entries in changed.items() if (reason := _reason(entries))}
    written = _changes_of_code()
    for name in graph:
        found = written.get(name, []) + written.get(name.partition("@")[0], [])
        if found and reasons.get(name) != NEVER:
            reasons[name] = "; ".join([*found, *([reasons[name]] if name in reasons else [])])
    check = {CHECK: reasons.pop(CHECK)} if CHECK in reasons else {}
    expected = affected(graph, set(reasons), ())
    for name, upstream in expected.items():
        if name not in reasons:
            first = next(other for other in expected if other in upstream)
            reasons[name] = f"after {first}"
    needs = {name: frozenset[str]() for name in check} | expected
    return check | {name: reasons[name] for name in expected}, needs


def _changes_of_code() -> dict[str, list[str]]:
    """Say for each stage, or kind of stage, in what the files that `check` would write differ from those it wrote."""
    found = {}
    for name, text in code_files(load_study(), shipped("stages")).items():
        path = HERE.code / name
        stage = name.removesuffix(".txt").replace("backbones/", "weights@")
        if name != VERSION and path.is_file():
            found[stage] = changes(path.read_text(encoding="utf-8"), text)
    code = _code_reason()
    return {stage: [code if each == "code" else each for each in words] for stage, words in found.items() if words}


def _code_reason() -> str:
    path, installed = HERE.code / VERSION, version("medtransfer")
    before = path.read_text(encoding="utf-8").strip() if path.is_file() else installed
    return "code" if before == installed else f"code of medtransfer {installed}, was {before}"


def _reason(entries: Sequence[str | dict[str, dict[str, Any]]]) -> str:
    """Return why DVC finds a stage changed, in a few words; empty for one that merely runs every time."""
    found: list[str] = []
    for entry in entries:
        if isinstance(entry, str):
            found += [entry] if entry != ALWAYS else []
            continue
        for kind, items in entry.items():
            for path, state in items.items():
                if isinstance(state, dict):  # of parameters, by their names
                    found += list(state)
                elif kind == "changed outs":
                    found.append(f"{path} {state}")
                else:
                    found.append(path)
    more = f" and {len(found) - MOST_REASONS} more" if len(found) > MOST_REASONS else ""
    return ", ".join(found[:MOST_REASONS]) + more


def _graph_and_changes() -> tuple[nx.DiGraph, dict[str, list[Any]]]:
    """Return the graph of the stages, and what DVC says of those that have changed or never run."""
    with open_repository() as repo:
        graph = nx.relabel_nodes(repo.index.graph, {stage: stage.addressing for stage in repo.index.graph})
        recorded = {stage.addressing for stage in repo.index.stages if any(out.hash_info for out in stage.outs)}
        return graph, {name: found if name in recorded else [NEVER] for name, found in repo.status().items()}


def require_study(*files: str) -> None:
    """Raise `UserError` if the current folder lacks one of the files of a study."""
    if missing := [name for name in files if not Path(name).is_file()]:
        raise UserError(f"{missing[0]}: no such file; {ELSEWHERE}")


@contextmanager
def open_repository() -> Iterator[Any]:
    """Open the DVC repository of the current folder.

    Raises `UserError` if it is not that of a study; errors of DVC within the block become `UserError`, too.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    require_study("dvc.yaml", "params.yaml")
    try:
        with Repo(".") as repo:
            _remove_damaged_locks(repo)
            yield repo
    except NotDvcRepoError:
        raise UserError("this folder is in no DVC repository; run `git init`, then `dvc init`, here") from None
    except DvcException as error:
        raise UserError(" ".join(str(error).split())) from None


def _remove_damaged_locks(repo: Any) -> None:
    """Remove DVC's list of files in use if a command was killed while it wrote the list: DVC would refuse every run."""
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    path, guard = (Path(repo.tmp_dir) / name for name in (RWLOCK_FILE, RWLOCK_LOCK))

    def is_damaged() -> bool:
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except ValueError:
            return True
        return False

    if is_damaged():
        with make_lock(str(guard), tmp_dir=repo.tmp_dir, hardlink_lock=repo.config["core"].get("hardlink_lock", False)):
            if is_damaged():  # still: nobody else was writing it
                path.unlink()


def affected(graph: nx.DiGraph, changed: set[str], targets: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the changed stages and those downstream, with their upstream stages, in a valid order.

    Edges of the graph lead from a stage to its upstream stages.
    """
    if unknown := [name for name in targets if name not in graph]:
        raise UserError([f"dvc.yaml has no stage {name!r}{near(name, graph)}" for name in unknown])
    wanted = set(graph)
    if targets:
        wanted = set(targets).union(*(nx.descendants(graph, name) for name in targets))
    downstream = (nx.ancestors(graph, name) for name in changed & set(graph))
    found = changed.union(*downstream) & wanted
    order = [name for name in nx.lexicographical_topological_sort(graph.reverse()) if name in found]
    return {name: frozenset(graph.successors(name)) for name in order}
