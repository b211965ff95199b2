"""Reads `params.yaml`, resolves its variants, and lists everything that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from medtransfer.study.schema import Backbone, Explain, Params, Policy, VariantLine
from medtransfer.study.section import OTHER, WORD
from medtransfer.study.strategy import Prompts, Strategy
from medtransfer.study.variant import Variant
from medtransfer.util.digests import EXTENSIONS
from medtransfer.util.errors import ELSEWHERE, UserError, near

NAME = re.compile(r"[a-z0-9_]+")
NAMES = f"names match {NAME.pattern} (lower-case letters, digits and underscores)"
STAGE = re.compile(r"(?:[^@]*:)?[a-z_]+@", re.DOTALL)
"""The prefix of a stage's name in DVC, with `dvc.yaml:` if DVC was started in another folder."""
Item = TypeVar("Item")
MANY = ("augmentation", "backbones", "strategies", "variants")
"""The sections of parts by name."""
WORDS = {
    "model_type": "a section of keys and values",
    "dict_type": "a section of keys and values",
    "list_type": "a list, such as [0]",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "too_short": "{min_length} or more entries",
}
"""What was expected instead of a value of a wrong type, by pydantic's kind of error."""
ADVICE = {
    r"'\t'": "indent by spaces, not by tabs",
    "cannot start any token": "put the text in quotes",
    "unexpected end of stream": "check that every quote is closed",
    "expected ','": "check that every bracket is closed",
    "duplicate key": "name it once",
    "block end": "check the indentation of this line and of those before it",
    "mapping values": "check the indentation of this line and of those before it",
}
"""What to do about what the parser of YAML found, by a part of its words."""
BASELINES = ("constant", "nearest_neighbour")


class Study:
    """A checked `params.yaml` and its variants, each with its parts filled in; `where` is the file in error lines."""

    def __init__(self, params: Params, variants: dict[str, Variant], where: str) -> None:
        self.params = params
        self.variants = variants
        self.where = where

    def variant(self, name: str) -> Variant:
        """Return a variant by name. Raises `UserError` if the study has no such line."""
        return _named(name, "variants", self.variants)

    def backbone(self, name: str) -> Backbone:
        """Return a backbone by name. Raises `UserError` if the study has no such line."""
        return _named(name, "backbones", self.params.backbones)

    @property
    def used_backbones(self) -> frozenset[str]:
        """The names of the backbones that a variant uses."""
        return frozenset(variant.backbone_name for variant in self.variants.values())

    @property
    def prompts(self) -> dict[str, Prompts]:
        """The prompts of the variants whose head is made of them."""
        strategies = {name: variant.strategy for name, variant in self.variants.items()}
        return {name: each.prompts for name, each in strategies.items() if each.head == "prompts" and each.prompts}

    def prompt_problems(self, classes: Collection[str]) -> list[str]:
        """List the variants whose prompts are not about these classes."""
        return [f"variants.{name}: {line}" for name, each in self.prompts.items() for line in each.problems(classes)]

    def policy(self, name: str) -> Policy:
        """Return an augmentation policy by name. Raises `UserError` if the study has no such line."""
        return _named(name, "augmentation", self.params.augmentation)


def _named(name: str, section: str, known: Mapping[str, Item]) -> Item:
    if name not in known:
        raise UserError(f"{section}: no {name!r} in params.yaml{near(name, known)}")
    return known[name]


def item_of(stage: str) -> str:
    """Return the name of the item that a stage is about, of DVC's name `STAGE@NAME`, or of `NAME`.

    Raises `UserError` if it is not one that a study may use. DVC accepts any key of `params.yaml`, so that this is
    where a name with a path, or with words for a shell, ends.
    """
    before = STAGE.match(stage)
    name = stage[before.end() :] if before else stage
    if not NAME.fullmatch(name):
        raise UserError(f"params.yaml: {name[:200]!r}: {NAMES}")
    return name


Further = Callable[["Study"], list[str]]
"""Further checks of a study, or of what is right in it: they return one line per problem."""


def load_study(path: Path = Path("params.yaml"), further: Further = lambda _: []) -> Study:
    """Read and check a parameter file, and import its extensions; see `check_study`."""

    def check(study: Study) -> list[str]:
        import_extensions(study.params.extensions, path.parent, study.where)
        return further(study)

    return check_study(read_yaml(path), str(path), check)


def import_extensions(names: Sequence[str], folder: Path, where: str) -> None:
    """Import Python files below `folder`, which register their choices and from then on count in digests of code.

    Raises `UserError`, in which the parameter file is `where`, if one is missing or cannot be imported.
    """
    for name in names:
        path = (folder / name).resolve()
        if path in EXTENSIONS:
            continue
        spec = spec_from_file_location(path.stem, path) if path.is_file() else None
        if spec is None or spec.loader is None:
            raise UserError(f"{where}: extensions: {name} is not a Python file")
        try:
            spec.loader.exec_module(module_from_spec(spec))
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(f"{where}: extensions: {name} cannot be imported: {reason}") from None
        EXTENSIONS.append(path)


def check_study(raw: Any, where: str, further: Further = lambda _: []) -> Study:
    """Check the plain values of a parameter file, which error lines call `where`.

    Raises `UserError` with one line per problem: keys, types, ranges, names that refer to nothing and parts that do not
    go together; and, of what is right in these, the problems that `further` finds. Names of registered choices are
    checked in `medtransfer.check`.
    """
    if isinstance(raw, dict) and "grid" in raw:
        raise UserError(f"{where}: grid is only for files in studies/; `medtransfer use NAME` expands it")
    problems: list[str] = []
    params: Params | None = None
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        problems = error_lines(error, where, Params)
        params = right_part(raw, error)
    if params is None:
        raise UserError(problems)
    study, found = _resolved(params, raw, where)
    problems += found
    if study.variants or not problems:
        problems += further(study)
    if problems:
        raise UserError(problems)
    return study


def _resolved(params: Params, raw: Any, where: str) -> tuple[Study, list[str]]:
    """Fill the parts of variants in; return those that are right as a study, and the problems of the others."""
    problems = [
        f"{where}: {section}.{name}: {NAMES}"
        for section in MANY
        for name in getattr(params, section)
        if not NAME.fullmatch(name)
    ]
    if "variants" not in raw.get("explain", {}):
        problems.append(f"{where}: explain.variants: missing; dvc.yaml needs the list, even if it is empty: `[]`")
    variants: dict[str, Variant] = {}
    for name, line in params.variants.items():
        variant, found = _resolve(name, line, params)
        problems += [f"{where}: variants.{name}{problem}" for problem in found]
        if variant is not None and not found:
            variants[name] = variant
    for section, names, target in (
        ("explain.blocks", params.explain.blocks, "backbones"),
        ("explain.variants", params.explain.variants, "variants"),
        ("comparison.tta", params.comparison.tta, "variants"),
    ):
        known = raw[target]
        problems += [
            f"{where}: {section}: no {name!r} in {target}{near(name, known)}" for name in names if name not in known
        ]
    problems += [f"{where}: data.external.{name}: {NAMES}" for name in params.data.external if not NAME.fullmatch(name)]
    if problems or len(params.variants) < len(raw["variants"]):
        comparison = params.comparison.model_copy(update={"tta": {}})
        params = params.model_copy(update={"explain": Explain(), "comparison": comparison})
    return Study(params, variants, where), problems


def right_part(raw: Any, error: ValidationError) -> Params | None:
    """Return the parameters without the keys, parts and variants in which validation found a mistake.

    None if what is left does not make a study, or if a mistake is in something that it cannot be without.
    """
    rest = deepcopy(raw)
    for item in error.errors():
        place = [part for part in item["loc"] if part not in (WORD, OTHER)]
        if len(place) > 1 and place[0] in MANY:
            rest[place[0]].pop(place[1], None)
        elif place[:1] == ["explain"]:
            rest.pop("explain", None)
        elif item["type"] != "extra_forbidden" or not _remove(rest, place):
            return None
    for name, line in list(rest["variants"].items()):
        parts = {"backbone": "backbones", "strategy": "strategies", "augmentation": "augmentation"}
        wrong = (line.get(field) in raw[section].keys() - rest[section].keys() for field, section in parts.items())
        if not isinstance(line, dict) or any(wrong):
            del rest["variants"][name]
    try:
        return Params.model_validate(rest)
    except ValidationError:
        return None


def _remove(values: Any, place: Sequence[Any]) -> bool:
    """Remove a key from nested sections; return whether it was there."""
    *above, last = place
    for part in above:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return isinstance(values, dict) and values.pop(last, None) is not None


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain values. Raises `UserError` if it is missing or invalid."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        of_a_study = (path.parent / "dvc.yaml").is_file()
        remedy = "`medtransfer use NAME` writes it" if of_a_study else ELSEWHERE
        raise UserError(f"{path}: no such file; {remedy}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: expected UTF-8 text") from None


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML into plain values. Raises `UserError` with the place in one line."""
    try:
        return deepcopy(_parsed(text))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f":{mark.line + 1}"
        raise UserError(f"{where}{line}: not valid YAML: {_reason(error)}") from None


def _reason(error: YAMLError) -> str:
    """Return the problem that the parser found, with advice on its usual cause."""
    found = " ".join(str(getattr(error, "problem", None) or error).partition(" with value")[0].split())
    return next((f"{found}; {advice}" for sign, advice in ADVICE.items() if sign in found), found)


@lru_cache(maxsize=4)
def _parsed(text: str) -> Any:
    """Parse a text once; a study of a thousand variants takes half a second."""
    return YAML(typ="safe", pure=True).load(text)


def _resolve(name: str, line: VariantLine, params: Params) -> tuple[Variant | None, list[str]]:
    problems = [
        f".{field}: no {value!r} in {section}{near(value, getattr(params, section))}"
        for field, section, value in (
            ("backbone", "backbones", line.backbone),
            ("strategy", "strategies", line.strategy),
            ("augmentation", "augmentation", line.augmentation),
        )
        if value not in getattr(params, section)
    ]
    if name in BASELINES:
        problems.append(f": {name!r} is the name of a baseline row; choose another")
    if problems:
        return None, problems
    chosen = params.strategies[line.strategy].model_dump(exclude_unset=True)
    try:
        strategy = Strategy.model_validate(chosen | (line.model_extra or {}))
    except ValidationError as error:
        return None, [f".{text}" for text in error_lines(error, model=Strategy)]
    backbone, policy = params.backbones[line.backbone], params.augmentation[line.augmentation]
    if backbone.weights == "none" and strategy.init == "pretrained":
        problems.append(
            f": init: pretrained needs weights, but backbones.{line.backbone}.weights is none; "
            "set weights, or use a strategy with init: random"
        )
    fewer = "shots" if strategy.shots is not None else "fraction" if strategy.fraction is not None else None
    if fewer is not None and policy.mix is not None:
        value = getattr(strategy, fewer)
        problems.append(f": {fewer}: {value} with {policy.mix.method} would mix in images beyond the {fewer}")
    return Variant(name, line.backbone, backbone, line.strategy, strategy, line.augmentation, policy), problems


def error_lines(error: ValidationError, path: str = "", model: type[BaseModel] | None = None) -> list[str]:
    """Return one line per problem that validation found below `path`; for an unknown key of `model`, the nearest."""
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"] if part not in (WORD, OTHER))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            *above, key = item["loc"]
            message = f"unknown key{near(str(key), known)}" if (known := _keys_at(model, above)) else "unknown key"
        elif item["type"] == "missing":
            message = "missing"
        elif item["type"] in WORDS:
            given = "nothing" if item["input"] is None else repr(item["input"])
            message = f"expected {WORDS[item['type']].format(**item.get('ctx', {}))}, but got {given}"
        elif not item["type"].startswith("value_error"):
            message = f"{message[0].lower()}{message[1:]}, but got {item['input']!r}"
        lines.append(": ".join(part for part in (path, place, message) if part))
    return lines


def _keys_at(annotation: Any, place: Sequence[int | str]) -> set[str]:
    """Return the keys of the sections that a value of a type may be, or may have at a place."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        if not place:
            return set(fields)
        return _keys_at(fields[str(place[0])].annotation, place[1:]) if place[0] in fields else set()
    if place and place[0] in (WORD, OTHER):
        return _keys_at(annotation, place[1:])
    values = get_args(annotation)
    if place and get_origin(annotation) in (dict, list, tuple):
        return _keys_at(values[-1], place[1:])
    return set().union(*(_keys_at(value, place) for value in values))
