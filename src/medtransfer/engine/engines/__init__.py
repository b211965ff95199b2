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
OF_ALL = ("remote", "clones")
"""Options of every engine: a DVC remote, for machines that do not see the study's folder, and the folder of clones."""


class Executor(Protocol):
    """The part of `concurrent.futures.Executor` that a run needs."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Return a `concurrent.futures.Future` of a call."""


class Workers(NamedTuple):
    """An executor, how many stages it runs at once, and the environment variables of its stages.

    remote: the DVC remote through which files travel to machines that do not see the study's folder, and the folder of
    their clones; None if all see it.
    """

    executor: Executor
    slots: int
    environment: dict[str, str]
    remote: tuple[str, str] | None = None


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
    path = configuration()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from None
    name = name or found.get("engine", "local")
    engine = _imported(name) if ":" in name else ENGINES[name]
    options, known = dict(found.get(name.rpartition(":")[2], {})), options_of(engine)
    if wrong := [each for each in options if each not in (*known, *OF_ALL)]:
        raise UserError(f"{path}: engine {name} has no option {wrong[0]!r}; it has {', '.join([*known, *OF_ALL])}")
    remote, folder = (options.pop(each, "") for each in OF_ALL)
    return _with_remote(engine(jobs, **options), (remote, folder) if remote else None)


@contextmanager
def _with_remote(opened: AbstractContextManager[Workers], remote: tuple[str, str] | None) -> Iterator[Workers]:
    with opened as workers:
        yield workers._replace(remote=remote)


def _imported(name: str) -> Engine:
    module, _, function = name.partition(":")
    try:
        engine: Engine = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UserError(f"engine {name}: {error}") from None
    return engine
