"""The Debian package, in a clean Debian 12: installed, upgraded, removed, purged. systemd is there and does not run."""

import os

import pytest

from conftest import BIN
from debian import ROOT, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs mounts")

CONFIG = "/etc/containerd/config.toml"
DROP_IN = "/etc/containerd/conf.d/paceline.toml"
SETTINGS = "/etc/paceline/config.toml"


def test_lintian_has_nothing_to_say(package):
    said = run("lintian", "--allow-root", "--no-cfg", "--info", "--fail-on", "error,warning,info", package(), check=False)
    assert said.returncode == 0 and not said.stdout.strip(), said.stdout


def test_the_same_build_gives_the_same_package(package, tmp_path):
    first = package().read_bytes()
    again = run(ROOT / "packaging" / "deb" / "build.sh", "--bin", BIN, "--out", tmp_path,
                "--version", "1.0-1")
    assert open(again.stdout.strip(), "rb").read() == first


def test_installing_it_changes_nothing_about_containerd(debian, package):
    before = debian.files_below("/etc/containerd", "/etc/systemd/system")
    debian.install(package())
    assert debian.files_below("/etc/containerd", "/etc/systemd/system") == before
    assert "0." in debian.run("pacelined", "--version").stdout
    debian.run("pacelined", "config", "check", SETTINGS)
    assert "complete" in debian.read("/usr/share/bash-completion/completions/paceline")
    for program, section in (("paceline", 1), ("pacelined", 8)):
        assert debian.path(f"/usr/share/man/man{section}/{program}.{section}.gz").exists()
    said = debian.run("paceline", "doctor", check=False)
    assert said.returncode == 1 and "paceline install --now" in said.stdout, said
    verified = debian.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "pacelined.service")
    assert "pacelined" not in verified.stderr, verified.stderr


def test_an_upgrade_keeps_what_was_set_and_stays_on(debian, package):
    debian.install(package("1.0-1"))
    debian.write(SETTINGS, debian.read(SETTINGS) + '[log]\nlevel = "debug"\n')
    debian.run("paceline", "install")
    configured = debian.files_below("/etc/containerd", "/etc/paceline", "/etc/systemd/system")
    assert DROP_IN[1:] in configured
    debian.install(package("1.1-1"))
    assert debian.files_below("/etc/containerd", "/etc/paceline", "/etc/systemd/system") == configured
    assert debian.run("dpkg-query", "-W", "-f", "${Version}", "paceline").stdout == "1.1-1"
    debian.install(package("1.0-1"))  # And back.
    assert debian.files_below("/etc/containerd", "/etc/paceline", "/etc/systemd/system") == configured


def test_removing_it_gives_containerd_its_own_store_back(debian, package):
    debian.write(CONFIG, "# mine\nversion = 2\n")
    before = debian.files_below("/etc/containerd", "/etc/systemd/system")
    blob = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/00"
    debian.write(blob, "an image")
    debian.install(package())
    debian.run("paceline", "install")
    debian.run("systemctl", "enable", "pacelined")
    debian.write("/var/lib/paceline/known", "beside the content")
    debian.apt("remove", "paceline")
    assert debian.files_below("/etc/containerd", "/etc/systemd/system") == before
    assert not debian.path("/etc/systemd/system/multi-user.target.wants/pacelined.service").is_symlink()
    assert debian.path(SETTINGS).exists()
    debian.apt("purge", "paceline")
    assert debian.named("paceline") == []
    assert debian.read(blob) == "an image"
    debian.install(package())
    debian.apt("purge", "paceline")
    assert debian.named("paceline") == []


def test_removal_ends_where_containerd_would_be_left_without_a_store(debian, package):
    debian.install(package())
    debian.write(SETTINGS, 'version = 1\n[store]\ncontent = "/srv/content"\n')
    debian.write(CONFIG, 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n')
    debian.write(DROP_IN, debian.read("/usr/share/paceline/containerd/paceline.toml"))
    said = debian.apt("remove", "paceline", check=False)
    assert said.returncode != 0 and "images pulled with it would be gone" in said.stdout + said.stderr, said
    assert debian.path("/usr/bin/pacelined").exists() and debian.path(DROP_IN).exists()
    debian.run("/usr/libexec/paceline/node-setup", "uninstall", "--force")
    debian.apt("remove", "paceline")
    assert not debian.path(DROP_IN).exists()


def test_it_goes_also_when_containerd_went_before_it(debian, package):
    debian.install(package())
    debian.run("paceline", "install")
    debian.apt("purge", "containerd", "paceline")
    assert debian.named("paceline") == []
