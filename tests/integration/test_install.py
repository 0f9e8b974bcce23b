"""Paceline switched on and off on a node by one command, as packaging/node/node-setup does it."""

import os
import signal

import pytest

from harness.host import SETUP, Host
from harness.processes import run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs mounts")

STORE = "paceline"  # What the store's name begins with.


def plain_config(version, extra=""):
    """As Debian's package has it, with a comment to lose, and no CNI to look for."""
    cri = "io.containerd.cri.v1.runtime" if version.major >= 2 else "io.containerd.grpc.v1.cri"
    return f"""# ours since 2019
version = {3 if version.major >= 2 else 2}

[plugins]
  [plugins."{cri}"]
    [plugins."{cri}".cni]
      bin_dir = "/usr/lib/cni"   # of the package
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
"""


@pytest.fixture
def host(tmp_path, version, closing):
    return closing(Host(version, tmp_path / "host"))


@pytest.fixture
def on_own_port(host):
    """The daemon's mirror where no other test's is."""
    def configure(content="/var/lib/containerd/io.containerd.content.v1.content"):
        host.write("/etc/paceline/config.toml", f'version = 1\n[store]\ncontent = "{content}"\nfree_floor = "16 MiB"\n'
                                                f'[mirror]\naddress = "127.0.0.1:{host.mirror_port}"\n')
    return configure


def test_install_pull_run_uninstall(host, version, on_own_port, push):
    before, with_paceline, after = push(), push(), push()
    on_own_port()
    host.write("/etc/containerd/config.toml", plain_config(version))
    untouched = host.files()
    host.run("systemctl", "start", "containerd")
    host.pull(before.reference)
    assert host.content_store() == "content"

    host.setup("install", "--now")
    assert host.content_store().startswith(STORE)
    assert host.run_image(before.reference, "a") == before.image.output
    host.pull(with_paceline.reference)
    with_paceline.assert_fetched_once_by_the_daemon()
    assert host.run_image(with_paceline.reference, "b") == with_paceline.image.output
    assert "on." in host.setup("install", "--now").stdout

    host.setup("uninstall", "--now")
    assert host.content_store() == "content"
    assert host.files() == untouched
    assert not host.path("/run/pacelined.pid").exists()
    for number, pushed in enumerate((before, with_paceline)):
        assert host.run_image(pushed.reference, f"c{number}") == pushed.image.output
    host.pull(after.reference)
    assert host.run_image(after.reference, "d") == after.image.output
    host.setup("uninstall", "--now")


CONFIGS = {
    "plain": plain_config,
    "no file": lambda version: None,
    "comments only": lambda version: "# nothing yet\n",
    "no newline at the end": lambda version: plain_config(version).rstrip("\n"),
    "imports": lambda version: plain_config(version).replace(
        "\n\n", '\nimports = ["/etc/containerd/other/*.toml"] # more\n\n', 1),
    "imports over lines": lambda version: plain_config(version).replace(
        "\n\n", '\nimports = [\n  "/etc/containerd/other/*.toml",\n]\n\n', 1),
    "all defaults": lambda version: run(version.bin / "containerd", "config", "default").stdout,
    "hosts elsewhere": lambda version: plain_config(version) + (
        '[plugins."io.containerd.%s".registry]\n  config_path = "/etc/elsewhere"\n'
        % ("cri.v1.images" if version.major >= 2 else "grpc.v1.cri")),
    "version 2": lambda version: 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  # soon\n',
    "without CRI": lambda version: 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_kind_of_config_is_given_back_as_it_was(host, version, name):
    text = CONFIGS[name](version)
    if text is not None:
        host.write("/etc/containerd/config.toml", text)
    untouched = host.files()
    assert "+++" in host.setup("install", "--dry-run").stdout
    assert host.files() == untouched
    host.setup("install")
    installed = host.files()
    dump = host.run("containerd", "config", "dump").stdout
    assert "io.containerd.content.v1.content" in dump.split("[", 2)[1] or "io.containerd.content.v1.content" in dump
    assert f"proxy_plugins.{STORE}" in dump
    host.setup("install")
    assert host.files() == installed, "a second install changes nothing"
    host.setup("uninstall")
    assert host.files() == untouched


def test_what_the_user_changed_since_stays(host, version):
    host.write("/etc/containerd/config.toml", plain_config(version))
    host.setup("install")
    changed = host.read("/etc/containerd/config.toml").replace("ours since 2019", "ours since 2020") + "# more\n"
    host.write("/etc/containerd/config.toml", changed)
    host.setup("uninstall")
    assert host.read("/etc/containerd/config.toml") == plain_config(version).replace("2019", "2020") + "# more\n"


def test_a_hosts_file_of_the_users_keeps_its_hosts(host, version):
    own = '# the campus mirror\n[host."https://mirror.example"]\n  capabilities = ["pull"]\n'
    host.write("/etc/containerd/config.toml", plain_config(version))
    host.write("/etc/containerd/certs.d/_default/hosts.toml", own)
    host.setup("install")
    both = host.read("/etc/containerd/certs.d/_default/hosts.toml")
    assert both.index("127.0.0.1:5151") < both.index("mirror.example")
    host.setup("uninstall")
    assert host.read("/etc/containerd/certs.d/_default/hosts.toml") == own


REFUSED = {
    "no version": ('disabled_plugins = []\n[grpc]\n  max_recv_message_size = 16777216\n', "version"),
    "not TOML": ("version = 2\n[plugins\n", "does not read"),
    "another store": ('version = 2\n[proxy_plugins.other]\n  type = "content"\n  address = "/run/other.sock"\n', "another content"),
    "inline tables": ('version = 2\nplugins = {"io.containerd.grpc.v1.cri" = {registry = {config_path = ""}}}\n', "error"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_does_not_understand_it_refuses(host, name):
    text, why = REFUSED[name]
    host.write("/etc/containerd/config.toml", text)
    untouched = host.files()
    said = host.setup("install", check=False)
    assert said.returncode == 1 and why in said.stderr, said
    assert host.files() == untouched


def test_a_store_of_its_own_would_hide_the_images(host, version, on_own_port):
    on_own_port(content="/var/lib/paceline/content")
    host.write("/etc/containerd/config.toml", plain_config(version))
    untouched = host.files()
    said = host.setup("install", check=False)
    assert said.returncode == 1 and "io.containerd.content.v1.content" in said.stderr
    assert host.files() == untouched


def test_a_daemon_that_does_not_start_leaves_the_node_as_it_was(host, version, on_own_port, push):
    pushed = push()
    on_own_port()
    host.write("/etc/containerd/config.toml", plain_config(version))
    untouched = host.files()
    host.run("systemctl", "start", "containerd")
    host.pull(pushed.reference)
    host.broken.touch()
    said = host.setup("install", "--now", check=False)
    assert said.returncode == 1 and "pacelined does not start" in said.stderr
    assert host.files() == untouched
    assert host.content_store() == "content"
    assert host.run_image(pushed.reference, "a") == pushed.image.output


# Stands in PATH before the real one, and kills the script as it takes its nth step: before it, the step not being taken.
KILLER = """#!/bin/bash
n=$(($(cat {count}) + 1)); echo $n > {count}
if [ $n = {nth} ]; then kill -9 $PPID; sleep 0.2; exit 1; fi
exec {real} "$@"
"""


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_killed_at_every_step_it_leaves_a_node_that_works(host, version, on_own_port, push, verb):
    pushed = push()
    on_own_port()
    host.write("/etc/containerd/config.toml", plain_config(version))
    untouched = host.files()
    host.run("systemctl", "start", "containerd")
    host.pull(pushed.reference)
    systemctl = host.bin / "systemctl.real"
    (host.bin / "systemctl").rename(systemctl)
    count, step = host.directory / "steps", 0
    tools = {"mv": "/usr/bin/mv", "rm": "/usr/bin/rm", "cp": "/usr/bin/cp", "systemctl": systemctl}

    def arm(nth):
        count.write_text("0")
        for name, real in tools.items():
            host.tool(name, KILLER.format(count=count, nth=nth, real=real))

    while True:
        step += 1
        if verb == "uninstall":
            arm(0)
            host.setup("install", "--now")
        arm(step)
        said = host.setup(verb, "--now", check=False)
        ended, steps = said.returncode, int(count.read_text())
        arm(0)
        assert ended in (0, 137, -signal.SIGKILL), f"step {step} of {steps}: {said}"
        # The machine boots: whatever was reached, containerd comes up with a store, and the image runs.
        host.run("systemctl", "stop", "containerd", "pacelined")
        host.run("systemctl", "start", "containerd")
        assert host.run_image(pushed.reference, f"step{step}") == pushed.image.output
        if verb == "uninstall":
            host.setup("uninstall", "--now")
            assert host.content_store() == "content"
        else:
            host.setup("install", "--now")
            assert host.content_store().startswith(STORE)
            host.setup("uninstall", "--now")
        assert host.files() == untouched
        if ended == 0:
            break
    assert step > 8, "the steps were not counted"
