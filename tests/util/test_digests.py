"""The digest of a script changes with the statements that it can reach by import, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from medtransfer.util import digests

Digest = Callable[[dict[str, str]], str]

SCRIPT = '"""A script."""\nfrom own.top import run\nrun()\n'
FILES = {
    "script.py": SCRIPT,
    "own/__init__.py": "",
    "own/top.py": "from own.low import LIMIT\n\ndef run():\n    return LIMIT\n",
    "own/low.py": "LIMIT = 3\n",
    "own/other.py": "UNUSED = 1\n",
}


@pytest.fixture
def digest(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digest]:
    """Return a function that writes files, with some changed, and returns the digest of their `script.py`."""
    monkeypatch.setattr(digests, "OWN_PACKAGES", ("own",))

    def write(changes: dict[str, str]) -> str:
        folder = tmp_path_factory.mktemp("code")
        for name, text in (FILES | changes).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            digests._file_of.cache_clear()
            return digests.script_digest(folder / "script.py")

    yield write
    digests._file_of.cache_clear()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("script.py", '"""Another docstring."""\nfrom own.top import run  # a comment\n\n\nrun()\n'),
        (
            "own/top.py",
            'from own.low import LIMIT\ndef run():\n    """Return it."""\n    return (\n        LIMIT\n    )\n',
        ),
        ("own/low.py", '"""A limit."""\n\nLIMIT = 3  # not 4\n'),
        ("own/other.py", "UNUSED = 2\n"),
        ("own/other/__init__.py", "from own import top\n"),
    ],
    ids=["script", "function", "module", "not reached", "new and not reached"],
)
def test_comments_docstrings_formatting_and_unreached_modules_do_not_count(
    digest: Digest, file: str, text: str
) -> None:
    assert digest({file: text}) == digest({})


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("script.py", SCRIPT + "run()\n"),
        ("own/top.py", FILES["own/top.py"].replace("return LIMIT", "return -LIMIT")),
        ("own/low.py", "LIMIT = 4\n"),
        ("own/low.py", 'LIMIT = 3\n"text that is not a docstring"\n'),
        ("own/__init__.py", "STATE = []\n"),
        ("own/page.html", "<p>"),
        ("own/templates/page.html", "<p>"),
    ],
    ids=["script", "module", "indirect", "string", "package", "file", "folder of files"],
)
def test_reached_statements_and_files_of_reached_packages_count(digest: Digest, file: str, text: str) -> None:
    assert digest({file: text}) != digest({})


LAZY = "def run():\n    from own.other import UNUSED\n    return UNUSED\n"
TYPED = (
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from own.other import UNUSED\ndef run() -> UNUSED: ...\n"
)


@pytest.mark.parametrize(("text", "counts"), [(LAZY, True), (TYPED, False)], ids=["lazy", "for types alone"])
def test_imports_in_functions_count_and_those_for_types_do_not(digest: Digest, text: str, counts: bool) -> None:
    before, after = (digest({"own/top.py": text, "own/other.py": f"UNUSED = {value}\n"}) for value in (1, 2))
    assert (before != after) == counts


def test_all_modules_of_a_registry_count(digest: Digest) -> None:
    registry = {
        "own/low.py": "LIMIT = Registry('limit', package='own.limits')\n",
        "own/limits/__init__.py": "",
        "own/limits/first.py": "from own.other import UNUSED\n",
    }
    before = digest(registry)
    assert digest(registry | {"own/limits/second.py": "LIMIT = 2\n"}) != before
    assert digest(registry | {"own/limits/third/__init__.py": "LIMIT = 3\n"}) != before
    assert digest(registry | {"own/other.py": "UNUSED = 2\n"}) != before


def test_a_module_has_the_digest_of_what_it_reaches() -> None:
    text, places = digests.module_digest("medtransfer.util.text"), digests.module_digest("medtransfer.util.places")
    assert text != places != digests.module_digest("medtransfer.util.text", "medtransfer.util.places") != text
    with pytest.raises(ModuleNotFoundError, match=r"no module medtransfer\.util\.txt"):
        digests.module_digest("medtransfer.util.txt")
