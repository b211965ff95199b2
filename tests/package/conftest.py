"""An environment with the built wheel, next to the packages of the project's own environment."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True)
class Installed:
    """The folder of an environment in which the wheel is installed, and the wheel."""

    folder: Path
    wheel: Path
    home: Path

    def variables(self) -> dict[str, str]:
        """The variables of a user with an empty home, without those that would find the project's source."""
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MEDTRANSFER_CACHE")}
        path = os.pathsep.join([str(self.folder / "bin"), str(Path(sys.executable).parent), kept["PATH"]])
        git = {f"GIT_{who}_{what}": "user@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        own = {"PATH": path, "HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache"), "OMP_NUM_THREADS": "1"}
        return kept | git | own | {"MEDTRANSFER_TRACKING": "off", "MEDTRANSFER_THREADS": "1"}

    def run(self, folder: Path, *command: str, fails: bool = False, **changes: str) -> str:
        """Run a command in a folder and return its output. It must succeed, or fail if `fails`."""
        environment = self.variables() | changes
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{command}: {output[-4000:]}"
        return output


@pytest.fixture(scope="session")
def installed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel without network, and install it into a new environment that sees the project's packages."""
    folder = tmp_path_factory.mktemp("installed")
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(root)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("medtransfer-*.whl")
    environment = folder / "environment"
    install(environment, str(wheel))
    (folder / "home").mkdir()
    return Installed(environment, wheel, folder / "home")


def install(environment: Path, *requirement: str) -> None:
    """Install the project, without network, into a new environment that sees the packages of this one."""
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "project.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    target = ["--python", str(environment / "bin" / "python"), "install", "--no-deps", "--no-build-isolation"]
    subprocess.run([*PIP, *target, *requirement], check=True, capture_output=True)


@pytest.fixture(scope="session")
def upgraded(installed: Installed) -> Callable[[str, str], None]:
    """Return a function that replaces text of a module of the installed package, as an upgrade would."""

    def replace(module: str, text: str) -> None:
        (path,) = installed.folder.glob(f"lib/python*/site-packages/medtransfer/{module}")
        path.write_text(text, encoding="utf-8")

    return replace
