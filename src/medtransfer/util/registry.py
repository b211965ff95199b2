"""Registries: the one place where each choice that a study can name is entered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from medtransfer.util.errors import UserError, near

Item = TypeVar("Item")


class Registry(Mapping[str, Item], Generic[Item]):
    """Choices of one kind by name, such as losses, in the order in which they were registered.

    kind: what an error line calls them. package: a package whose modules register choices by being imported; they are
    imported on first use, in alphabetical order, so that a new file in the package is all that a new choice takes.
    """

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self._package = package
        self._items: dict[str, Item] = {}

    def register(self, name: str, item: Item) -> None:
        """Add a choice. Raises `ValueError` if the name is taken."""
        if self._items.setdefault(name, item) is not item:
            raise ValueError(f"{self.kind} {name!r} is registered twice")

    def entry(self, name: str) -> Callable[[Item], Item]:
        """Return a decorator that registers a function or class under `name` and leaves it as it is."""

        def add(item: Item) -> Item:
            self.register(name, item)
            return item

        return add

    def problem(self, name: str) -> str | None:
        """Return the end of an error line if there is no such choice: what it is, and the nearest known name."""
        return None if name in self else f"no {self.kind} {name!r}{near(name, self)}"

    def __getitem__(self, name: str) -> Item:
        """Return a choice. Raises `UserError` that names the nearest one if there is none."""
        if problem := self.problem(name):
            raise UserError(problem)
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._loaded()

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())

    def _loaded(self) -> dict[str, Item]:
        if self._package is not None:
            package = import_module(self._package)
            for module in sorted(found.name for found in iter_modules(package.__path__)):
                import_module(f"{package.__name__}.{module}")
            self._package = None  # only now: another thread that asks meanwhile must wait for the imports
        return self._items


_signature: Callable[..., inspect.Signature] = cache(inspect.signature)


def options_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the keyword-only parameters of a registered function and their defaults: what a study may set of it."""
    parameters = _signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def with_options(function: Callable[..., Any], given: Mapping[str, Any]) -> Callable[..., Any]:
    """Bind to a registered function those of the `given` values that are options of it."""
    return partial(function, **{name: given[name] for name in options_of(function) if name in given})
