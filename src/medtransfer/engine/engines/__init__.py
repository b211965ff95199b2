"""Where stages can run: one file for each kind of place, which registers an engine.

An engine is a function of the number of stages at once and of its section in the configuration. It yields an executor
with the `submit` of `concurrent.futures`, and the number of stages that it can run at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from platformdirs import user_config_path

from medtransfer.util.errors import UserError
from medtransfer.util.registry import Registry, options_of

CONFIGURATION = "engine.toml"
OF_ALL: dict[str, Any] = {"remote": "", "clones": "", "cpu_hour": 0.0, "gpu_hour": 0.0}
"""Options of every engine: a DVC remote, for machines that do not see the study's folder; the folder of clones; and the
prices of an hour of a CPU core and of a GPU, for `medtransfer plan`."""


class Executor(Protocol):
    """The part of `concurrent.futures.Executor` that a run needs."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Return a `concurrent.futures.Future` of a call."""


class Workers(NamedTuple):
    """An executor, how many stages it runs at once, and the environment variables of its stages.

    cpus, gpus: what a stage occupies. remote: the DVC remote through which files travel to machines that do not see the
    study's folder, and the folder of their clones; None if all see it. prices: of an hour of a CPU core and of a GPU.
    """

    executor: Executor
    slots: int
    environment: dict[str, str]
    cpus: float = 1.0
    gpus: float = 0.0
    remote: tuple[str, str] | None = None
    prices: tuple[float, float] = (0.0, 0.0)


Engine = Callable[..., AbstractContextManager[Workers]]
ENGINES: Registry[Engine] = Registry("engine", __name__)
"""The engines by name. An engine gets the number of stages at once, and its options as keywords."""


def configuration() -> Path:
    """Return the user's file of engines; it is not part of a study, because results do not depend on it."""
    return user_config_path("medtransfer") / CONFIGURATION


def open_engine(name: str | None, jobs: int | Literal["auto"]) -> AbstractContextManager[Workers]:
    """Open the engine `name`, by default that of the configuration, else `local`, with its options there.

    name: a registered name, or `module:function`. Raises `UserError` if there is no such engine or option.
    """
    path, found = configuration(), _configured()
    name = name or engine_name()
    engine = _imported(name) if ":" in name else ENGINES[name]
    own = options_of(engine)
    given = OF_ALL | dict(found.get(name.rpartition(":")[2], {}))
    if wrong := [each for each in given if each not in own | OF_ALL]:
        raise UserError(f"{path}: engine {name} has no option {wrong[0]!r}; it has {', '.join([*own, *OF_ALL])}")
    for option, default in OF_ALL.items():
        if not isinstance(given[option], str if isinstance(default, str) else int | float):
            raise UserError(f"{path}: {option}: expected a {'text' if default == '' else 'number'}")
    remote, clones, *prices = (given.pop(option) for option in OF_ALL)
    of_all = {"remote": (remote, clones) if remote else None, "prices": tuple(prices)}
    return _completed(engine(jobs, **given), of_all)


def engine_name() -> str:
    """Return the engine of the user's configuration, by default `local`."""
    name: str = _configured().get("engine", "local")
    return name


def _configured() -> dict[str, Any]:
    path = configuration()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from None


@contextmanager
def _completed(opened: AbstractContextManager[Workers], of_all: dict[str, Any]) -> Iterator[Workers]:
    with opened as workers:
        yield workers._replace(**of_all)


def _imported(name: str) -> Engine:
    module, _, function = name.partition(":")
    try:
        engine: Engine = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UserError(f"engine {name}: {error}") from None
    return engine
