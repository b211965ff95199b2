"""How commands are declared, and the parser of a command line with its help pages."""

from __future__ import annotations

import argparse
import inspect
from collections import defaultdict
from collections.abc import Callable
from textwrap import fill
from typing import Any, NoReturn

from medtransfer.util.errors import UserError, near

INTRODUCTION = """\
usage: medtransfer COMMAND [ARGUMENTS]

Which pretrained backbone, trained how, works best on your medical images, and
is the difference real?

A study is a folder with one list of variants, params.yaml, and a DVC pipeline
that trains, tests and compares them. Everything that DVC and MLflow have
commands for is done with these: `dvc repro` runs a study, `dvc exp run -S`
tries a change, `dvc metrics diff` shows what it changed, and `mlflow ui` lists
all runs.
"""
CLOSING = """
`medtransfer COMMAND --help` explains a command, with an example;
`medtransfer --version` prints the version.

From images to a table:
  medtransfer init my-study -S data.folder=path/to/images
  cd my-study
  dvc repro
"""
WIDTH = 80
START, RUN, RESULTS, OTHER = "Define a study", "Run it", "Use its results", "Other"


CarryOut = Callable[[argparse.Namespace], None]
COMMANDS: dict[str, tuple[str, CarryOut, tuple[str, ...]]] = {}
"""The group, the function and the examples of each command, in the order of the help page."""
ARGUMENTS: dict[str, list[tuple[list[str], bool, dict[str, Any]]]] = defaultdict(list)
"""The arguments of each command: names, whether a shell completes them by the names of files, and settings."""


def command(group: str, *examples: str) -> Callable[[CarryOut], CarryOut]:
    """Return a decorator that makes a function `_NAME` a command, described by the function's docstring."""

    def add(carry_out: CarryOut) -> CarryOut:
        COMMANDS[_name_of(carry_out)] = (group, carry_out, examples or ("",))
        return carry_out

    return add


def argument(
    names: str, metavar: str | None, text: str, *, of_files: bool = False, **settings: Any
) -> Callable[[CarryOut], CarryOut]:
    """Return a decorator that gives a command an argument: names, divided by spaces, and its help; see `ARGUMENTS`."""
    settings |= {"help": text} | ({} if metavar is None else {"metavar": metavar})

    def add(carry_out: CarryOut) -> CarryOut:
        ARGUMENTS[_name_of(carry_out)].insert(0, (names.split(), of_files, settings))
        return carry_out

    return add


def _name_of(carry_out: CarryOut) -> str:
    return carry_out.__name__.removeprefix("_")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with its commands in the groups of the help page."""

    groups: dict[str, dict[str, argparse.ArgumentParser]]

    def error(self, message: str) -> NoReturn:
        """Raise `UserError`."""
        raise UserError(f"{self.prog}: {message}; see `{self.prog} --help`")


class Page(Parser):
    """The parser of the whole command, whose help is a page."""

    def format_help(self) -> str:
        """List the commands by their groups."""
        lines = [INTRODUCTION]
        for group, commands in self.groups.items():
            lines.append(f"{group}:")
            lines += [f"  {name:<11} {_first_sentence(command)}" for name, command in commands.items()]
            lines.append("")
        return "\n".join(lines).rstrip("\n") + "\n" + CLOSING


def _first_sentence(command: argparse.ArgumentParser) -> str:
    text = str(command.description).partition(".\n")[0].rstrip(".")
    return f"{text[0].lower()}{text[1:]}"


def parser() -> Page:
    """Return the parser of the command line; its `groups` hold the parsers of the commands by name."""
    from importlib.metadata import version

    import shtab

    page = Page(prog="medtransfer")
    page.add_argument("--version", action="version", version=f"medtransfer {version('medtransfer')}")
    subparsers = page.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    page.groups = {group: {} for group in (START, RUN, RESULTS, OTHER)}
    for name, (group, carry_out, examples) in COMMANDS.items():
        summary, *more = inspect.cleandoc(carry_out.__doc__ or "").split("\n\n")
        lines = "\n".join(f"  medtransfer {name} {example}".rstrip() for example in examples)
        built = subparsers.add_parser(
            name,
            help=" ".join(summary.split()).rstrip("."),
            description="\n\n".join(fill(" ".join(part.split()), WIDTH) for part in (summary, *more)),
            epilog=f"{'examples' if len(examples) > 1 else 'example'}:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for names, of_files, settings in ARGUMENTS[name]:
            added = built.add_argument(*names, **settings)
            if of_files:
                added.complete = shtab.FILE  # type: ignore[attr-defined]
        built.set_defaults(carry_out=carry_out)
        page.groups[group][name] = built
    return page


def dispatch(words: list[str]) -> None:
    """Run the command that the words of a command line name; without words, print the help page."""
    page = parser()
    if not words:
        page.print_help()
        return
    commands = {name: built for group in page.groups.values() for name, built in group.items()}
    if not words[0].startswith("-") and words[0] not in commands:
        raise UserError(f"medtransfer has no command {words[0]!r}{near(words[0], commands)}")
    options, unknown = page.parse_known_args(words)
    if unknown:
        chosen = commands.get(words[0], page)
        known = chosen._option_string_actions  # argparse has no public list
        found = near(unknown[0].partition("=")[0], known) if unknown[0].startswith("-") else ""
        raise UserError(f"{chosen.prog}: unexpected argument {unknown[0]!r}{found}")
    options.carry_out(options)
