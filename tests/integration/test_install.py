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


def node_with_an_image(host, version, on_own_port, push):
    """A containerd that runs without us: its image, and the node's files."""
    pushed = push()
    on_own_port()
    host.write("/etc/containerd/config.toml", plain_config(version))
    untouched = host.files()
    host.run("systemctl", "start", "containerd")
    host.pull(pushed.reference)
    return pushed, untouched


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


def test_links_of_configuration_management_stay_links(host, version):
    linked = {"/etc/containerd/config.toml": "../../opt/managed/config.toml",
              "/etc/containerd/certs.d/reg.example/hosts.toml": "../../../../opt/managed/hosts.toml"}
    host.write("/opt/managed/config.toml", plain_config(version))
    host.write("/opt/managed/hosts.toml", 'server = "https://reg.example"\n')
    for link, real in linked.items():
        host.path(link).parent.mkdir(parents=True, exist_ok=True)
        host.path(link).symlink_to(real)
    untouched = host.files()
    host.setup("install")
    assert "paceline" in host.read("/opt/managed/config.toml") and "5151" in host.read("/opt/managed/hosts.toml")
    assert all(str(host.path(link).readlink()) == real for link, real in linked.items())
    host.write("/opt/managed/config.toml.paceline-part", "left by a run that was killed")
    host.setup("uninstall")
    assert host.files() == untouched
    assert all(host.path(link).is_symlink() for link in linked)
    assert sorted(file.name for file in host.path("/opt/managed").iterdir()) == ["config.toml", "hosts.toml"]


def test_registries_with_a_file_of_their_own_pass_the_mirror_too(host, version):
    own = 'server = "https://reg.example"\n\n[host."https://reg.example"]\n  skip_verify = true\n'
    file = "/etc/containerd/certs.d/reg.example/hosts.toml"
    host.write("/etc/containerd/config.toml", plain_config(version))
    host.write(file, own)
    host.write("/etc/containerd/certs.d/old.example/ca.crt", "a certificate as docker has it")
    untouched = host.files()
    assert "old.example" in host.setup("install").stdout
    both = host.read(file)
    assert both.index("server =") < both.index("127.0.0.1:5151") < both.index("skip_verify")
    assert "old.example/hosts.toml" not in str(sorted(host.files()))
    host.setup("uninstall")
    assert host.files() == untouched


def test_doctor_says_what_is_wrong_and_the_mend(host, version, on_own_port):
    on_own_port()
    host.write("/etc/containerd/config.toml", plain_config(version))
    findings, code = host.doctor()
    assert code == 1
    assert findings["containerd"][0] == "ok" and version.number in findings["containerd"][1]
    assert findings["containerd-runs"][0] == "failed"
    assert findings["content-store"][:2] == ("failed", "Paceline is off: containerd has its own content store")
    assert "paceline install --now" in findings["content-store"][2]
    assert findings["daemon"][0] == "failed"

    host.run("systemctl", "start", "containerd")
    host.setup("install", "--now")
    findings, code = host.doctor()
    bad = {check: said for check, said in findings.items() if said[0] not in ("ok", "skipped")}
    # The stand-in for systemctl knows no units, and gives the daemon the limits of the test.
    assert set(bad) <= {"services", "open-files", "metrics"}, bad
    assert findings["mirror"][0] == findings["hosts"][0] == findings["cri"][0] == "ok"
    assert findings["content-store"][1].startswith(STORE)
    assert "mend" in host.run("paceline", "doctor", check=False).stdout

    host.write("/etc/containerd/certs.d/reg.example/hosts.toml", 'server = "https://reg.example"\n')
    assert host.doctor()[0]["hosts"][0] == "warning"
    host.run("systemctl", "stop", "pacelined")
    findings, code = host.doctor()
    assert code == 1 and findings["daemon"][0] == findings["mirror"][0] == "failed"


def pull_with_the_snapshotter(host, version, pushed):
    # The transfer service would have to be told of the snapshotter; that is left to the user.
    local = ["--local"] if version.has_transfer_service else []
    host.ctr("images", "pull", *local, "--plain-http", "--snapshotter", "paceline", "--hosts-dir", "/etc/containerd/certs.d",
             pushed.reference)


def test_the_snapshotter_comes_and_goes_with_it(host, version, on_own_port, push):
    pushed = push()
    on_own_port()
    host.write("/etc/containerd/config.toml", plain_config(version))
    untouched = host.files()
    host.run("systemctl", "start", "containerd")
    host.setup("install", "--snapshotter", "--now")
    takes_differs = version.number not in ("1.7.0", "1.7.1", "1.7.2", "1.7.3") and (version.major, version.minor) > (1, 6)
    assert ("/etc/containerd/conf.d/paceline-differ.toml" in host.files()) == takes_differs
    pull_with_the_snapshotter(host, version, pushed)
    said = host.ctr("run", "--rm", "--snapshotter", "paceline", pushed.reference, "a").stdout
    assert said in ("", pushed.image.output)
    assert host.doctor()[0]["snapshotter"][0] == "ok"
    refused = host.setup("uninstall", "--now", check=False)
    assert refused.returncode == 1 and "snapshots are held" in refused.stderr
    host.ctr("images", "remove", "--sync", pushed.reference)
    host.setup("uninstall", "--now")
    assert host.files() == untouched


@pytest.fixture
def with_a_snapshot(host, version, on_own_port, push):
    """Paceline is on with its snapshotter, which holds an image: what was pushed."""
    pushed = push()
    on_own_port()
    host.write("/etc/containerd/config.toml", plain_config(version))
    host.run("systemctl", "start", "containerd")
    host.setup("install", "--snapshotter", "--now")
    pull_with_the_snapshotter(host, version, pushed)
    return pushed


def test_snapshots_that_cannot_be_counted_are_not_taken_for_none(host, with_a_snapshot):
    installed = host.files()
    host.run("systemctl", "stop", "pacelined")
    refused = host.setup("uninstall", "--now", check=False)
    assert refused.returncode == 1 and "does not say whether" in refused.stderr and "--force" in refused.stderr
    assert host.files() == installed
    host.setup("uninstall", "--force")
    assert "/etc/containerd/conf.d/paceline.toml" not in host.files()


def test_it_does_not_go_while_the_configuration_names_it(host, version):
    settings = plain_config(version).replace("\n\n", '\nimports = ["/etc/containerd/conf.d/*.toml"]\n\n', 1)
    images = "cri.v1.images" if version.major >= 2 else "grpc.v1.cri"
    table = f'[plugins."io.containerd.{images}"%s]\n' % ("" if version.major >= 2 else ".containerd")
    more = '[plugins."io.containerd.service.v1.diff-service"]\n  default = [\n    "paceline-diff",  # first\n    "walking",\n  ]\n'
    host.write("/etc/containerd/config.toml", settings)
    host.run("systemctl", "start", "containerd")
    host.setup("install", "--snapshotter")
    host.write("/etc/containerd/conf.d/other.toml", "version = 2\n" + more)
    host.write("/etc/containerd/config.toml", settings + table + '  # snapshotter = "paceline"\n  snapshotter = "paceline"\n')
    installed = host.files()
    refused = host.setup("uninstall", check=False)
    assert refused.returncode == 1 and "would not load" in refused.stderr
    lines = [line.strip() for line in refused.stderr.splitlines() if line.startswith("  /etc")]
    number = len(settings.splitlines()) + 3
    assert lines == [f'/etc/containerd/config.toml:{number}: snapshotter = "paceline"',
                     '/etc/containerd/conf.d/other.toml:4: "paceline-diff",']
    assert host.files() == installed
    host.path("/etc/containerd/conf.d/other.toml").unlink()
    host.write("/etc/containerd/config.toml", settings)
    host.setup("uninstall")
    assert "/etc/containerd/conf.d/paceline-snapshotter.toml" not in host.files()


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


@pytest.mark.parametrize("unit, where, says", [
    ("pacelined", "true", "pacelined does not start"),
    ("containerd", "test -e /etc/containerd/conf.d/paceline.toml", "did not come up well")], ids=["pacelined", "containerd"])
def test_what_does_not_start_leaves_the_node_as_it_was(host, version, on_own_port, push, unit, where, says):
    pushed, untouched = node_with_an_image(host, version, on_own_port, push)
    host.break_unit(unit, where)
    said = host.setup("install", "--now", check=False)
    assert said.returncode == 1 and says in said.stderr
    assert host.files() == untouched
    assert host.content_store() == "content"
    assert host.run_image(pushed.reference, "a") == pushed.image.output


NEW_DROP_IN = "! grep -q older /etc/containerd/conf.d/paceline-snapshotter.toml"


@pytest.mark.parametrize("unit, where, says", [
    ("pacelined", NEW_DROP_IN, "pacelined does not start"), ("containerd", NEW_DROP_IN, "did not come up well"),
    ("pacelined", "true", "pacelined does not start")], ids=["pacelined", "containerd", "pacelined-for-good"])
def test_a_change_that_does_not_start_is_taken_back_where_paceline_was_on(host, with_a_snapshot, unit, where, says):
    drop_in, state = "/etc/containerd/conf.d/paceline-snapshotter.toml", "/var/lib/paceline/node/config.toml.before"
    host.write(drop_in, host.read(drop_in) + "# an older one's\n")
    before = (host.files(), host.read(state))
    host.break_unit(unit, where)
    said = host.setup("install", "--snapshotter", "--now", check=False)
    assert said.returncode == 1 and says in said.stderr
    assert (host.files(), host.read(state)) == before
    if where == "true":
        assert "does not say whether images are held" in said.stderr and "not switched off" in said.stdout
    else:
        assert host.content_store().startswith(STORE)
        out = host.ctr("run", "--rm", "--snapshotter", "paceline", with_a_snapshot.reference, "a").stdout
        assert out in ("", with_a_snapshot.image.output)


def test_what_cannot_be_taken_back_is_switched_off_where_nothing_is_lost(host, version, on_own_port, push):
    pushed, untouched = node_with_an_image(host, version, on_own_port, push)
    host.setup("install", "--now")
    drop_in = "/etc/containerd/conf.d/paceline.toml"
    host.write(drop_in, host.read(drop_in) + "# an older one's\n")
    host.break_unit("pacelined")
    said = host.setup("install", "--now", check=False)
    assert said.returncode == 1 and "pacelined does not start" in said.stderr
    assert host.files() == untouched
    assert host.content_store() == "content"
    assert host.run_image(pushed.reference, "a") == pushed.image.output


# Stands in PATH before the real one, and kills the script as it takes its nth step: before it, the step not being taken.
KILLER = """#!/bin/bash
n=$(($(cat {count}) + 1)); echo $n > {count}
if [ $n = {nth} ]; then kill -9 $PPID; sleep 0.2; exit 1; fi
PATH=${{PATH#*:}} exec {real} "$@"  # What systemctl's stand-in calls is not a step of the script's.
"""


@pytest.mark.one_version
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_killed_at_every_step_it_leaves_a_node_that_works(host, version, on_own_port, push, verb):
    pushed, untouched = node_with_an_image(host, version, on_own_port, push)
    systemctl = host.bin / "systemctl.real"
    (host.bin / "systemctl").rename(systemctl)
    count, step, booted = host.directory / "steps", 0, []
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
        before = len(host.log.read_text())
        said = host.setup(verb, "--now", check=False)
        ended, steps = said.returncode, int(count.read_text())
        arm(0)
        assert ended in (0, 137, -signal.SIGKILL), f"step {step} of {steps}: {said}"
        # The machine boots: whatever was reached, containerd comes up with a store, and the image runs.
        reached = (host.files(), host.log.read_text()[before:])
        if reached not in booted:
            booted.append(reached)
            host.run("systemctl", "stop", "containerd", "pacelined")
            host.run("systemctl", "start", "containerd")
            assert host.run_image(pushed.reference, f"step{step}") == pushed.image.output
            if verb == "install":  # And on from there.
                host.setup("install", "--now")
                assert host.content_store().startswith(STORE)
        host.setup("uninstall", "--now")
        assert host.content_store() == "content"
        assert host.files() == untouched
        if ended == 0:
            break
    assert step > 8 and len(booted) > 4, "the steps were not counted"
