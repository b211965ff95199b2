"""Which stage may start next: those whose upstream stages are done; what hangs on a failed one is left out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    """Where a stage stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LEFT_OUT = "left out"


class Schedule:
    """The stages of a run, and where each stands.

    needs: each stage's upstream stages; those that are no stage of the run count as done. Stages start in the
    order of `needs`.
    """

    def __init__(self, needs: Mapping[str, frozenset[str]]) -> None:
        self.needs = {name: upstream & needs.keys() for name, upstream in needs.items()}
        self.states = dict.fromkeys(needs, State.WAITING)

    def ready(self) -> list[str]:
        """List the stages that may start now."""
        return [
            name
            for name, state in self.states.items()
            if state is State.WAITING and all(self.states[upstream] is State.DONE for upstream in self.needs[name])
        ]

    def start(self, name: str) -> None:
        """Note that a stage runs; raise `ValueError` where it may not."""
        if name not in self.ready():
            raise ValueError(f"{name} may not start: it is {self.states[name].value}")
        self.states[name] = State.RUNNING

    def finish(self, name: str, succeeded: bool) -> None:
        """Note how a stage ended; after a failure, everything downstream of it is left out."""
        self.states[name] = State.DONE if succeeded else State.FAILED
        if not succeeded:
            self._leave_out_downstream(name)

    def in_state(self, state: State) -> list[str]:
        """List the stages in a state."""
        return [name for name, found in self.states.items() if found is state]

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing will."""
        return not any(state in (State.WAITING, State.RUNNING) for state in self.states.values())

    def _leave_out_downstream(self, name: str) -> None:
        for other, upstream in self.needs.items():
            if name in upstream and self.states[other] is State.WAITING:
                self.states[other] = State.LEFT_OUT
                self._leave_out_downstream(other)
