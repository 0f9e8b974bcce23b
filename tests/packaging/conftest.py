"""Fixtures: the package in two versions, made once; a clean Debian a test."""

import os
import pathlib

import pytest

from debian import ROOT, Debian, run

BIN = pathlib.Path(os.environ.get("PACELINE_BIN_DIR", ROOT / "build" / "release" / "bin"))


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """package(version) → its file."""
    out, made = tmp_path_factory.mktemp("packages"), {}

    def make(version="1.0-1"):
        if version not in made:
            said = run(ROOT / "packaging" / "deb" / "build.sh", "--bin", BIN, "--out", out, "--version", version, timeout=300)
            made[version] = pathlib.Path(said.stdout.strip())
        return made[version]
    return make


@pytest.fixture
def debian(tmp_path):
    machine = Debian(tmp_path / "debian")
    yield machine
    machine.close()
