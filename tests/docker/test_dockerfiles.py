"""The Dockerfiles by their linter, and the versions that they install."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.rglob("*.Dockerfile"))
INSTALLED = {
    "app.Dockerfile": {"serve", "postgres", "cpu"},
    "training.Dockerfile": {"train", "postgres"},
}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_a_dockerfile_has_no_complaint_of_its_linter(file: Path) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_ends_with_a_user_by_number_that_is_not_root(file: Path) -> None:
    users = re.findall(r"^USER (\d+):(\d+)$", file.read_text(), re.MULTILINE)
    assert users
    assert "0" not in users[-1]


@pytest.mark.parametrize("name", INSTALLED)
def test_both_images_are_made_in_two_stages_from_one_pinned_python(name: str) -> None:
    text = (DOCKER / name).read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=.*/python:3\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == [
        "${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}",
    ]  # fmt: skip
    extras = re.search(r'"\.\[([a-z,]+)', text)
    assert extras
    assert set(extras[1].strip(",").split(",")) == INSTALLED[name]


def test_every_package_that_an_image_installs_has_a_version_that_pyproject_allows() -> None:
    lines = (DOCKER / "constraints.txt").read_text().splitlines()
    pinned = {
        canonicalize_name(name): Version(version)
        for name, _, version in (line.partition("==") for line in lines if "==" in line)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"]]
    asked += [
        each for name in ("serve", "train", "postgres", "cpu", "gpu") for each in extras[name]
    ]
    for requirement in map(Requirement, asked):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier
