"""The files of packaging/containerd, installed as their comments say."""

import pytest

from harness.containerd import Containerd
from harness.versions import ROOT

SOCKET = "/run/paceline/paceline.sock"


@pytest.fixture
def install(pacelined, tmp_path):
    def install_one(name):
        text = (ROOT / "packaging" / "containerd" / name).read_text()
        assert SOCKET in text
        path = tmp_path / name
        path.write_text(text.replace(SOCKET, str(pacelined.address)))
        return path
    pacelined.stop()
    pacelined.settings["snapshotter.enabled"] = True
    pacelined.start()
    return install_one


def plugins(containerd):
    """{(type, name): status}"""
    lines = containerd.ctr("plugins", "list").stdout.splitlines()[1:]
    return {tuple(line.split()[:2]): line.split()[-1] for line in lines if line.strip()}


def test_all_drop_ins_together(version, install, pacelined, push, closing, tmp_path):
    pushed = push()
    names = ["paceline.toml", "paceline-snapshotter.toml"]
    expected = [("io.containerd.content.v1", "paceline-content"), ("io.containerd.snapshotter.v1", "paceline")]
    differ = (version.major, version.minor) >= (1, 7)
    if differ:
        names.append("paceline-differ.toml")
        expected.append(("io.containerd.differ.v1", "paceline-diff"))
    containerd = closing(Containerd(version, tmp_path / "containerd", mirror_port=pacelined.mirror_port,
                                    imports=[install(name) for name in names])).start()
    found = plugins(containerd)
    assert {plugin: found.get(plugin) for plugin in expected} == dict.fromkeys(expected, "ok")
    assert ("io.containerd.content.v1", "content") not in found
    local = ["--local"] if version.has_transfer_service else []
    containerd.ctr("images", "pull", "--plain-http", "--hosts-dir", containerd.certs, *local, "--snapshotter", "paceline",
                   pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    printed = containerd.ctr("run", "--rm", "--snapshotter", "paceline", pushed.reference, "test").stdout
    assert printed == pushed.image.output
    log = pacelined.log()
    assert [layer for layer in pushed.image.layer_digests if f"layer {layer}: applied to" in log] == \
        (list(pushed.image.layer_digests) if differ else [])
