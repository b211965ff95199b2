"""Every shipped study is valid, and the default one is in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from medtransfer.check import study_problems
from medtransfer.study.loading import read_yaml
from medtransfer.study.use import list_studies, read_study

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_loads_and_resolves(path: Path) -> None:
    study = read_study(path)
    assert study.params.study.name == path.stem
    assert set(study.variants) == set(study.params.variants)
    assert len({variant.key() for variant in study.variants.values()}) == len(study.variants)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_passes_the_check_except_for_images_that_its_user_provides(path: Path) -> None:
    assert [problem for problem in study_problems(read_study(path)) if ".folder: " not in problem] == []


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_states_every_parameter_that_a_stage_of_dvc_reads(path: Path) -> None:
    """DVC refuses to run a stage one of whose parameters is not in the file, default or not."""
    stages = read_yaml(ROOT / "dvc.yaml")["stages"].values()
    read = {key for stage in stages for key in stage.get("do", stage).get("params", []) if "$" not in key}
    stated = read_yaml(path) | {"variants": {}}
    for key in sorted(read):
        section = stated
        for part in key.split("."):
            assert part in section, key
            section = section[part]


def test_all_studies_are_listed_with_their_titles() -> None:
    titles = list_studies(ROOT / "studies")
    assert list(titles) == [path.stem for path in STUDIES]
    assert all(titles.values())


def test_the_phantom_study_is_in_force_byte_for_byte() -> None:
    assert (ROOT / "params.yaml").read_bytes() == (ROOT / "studies" / "phantom.yaml").read_bytes()
