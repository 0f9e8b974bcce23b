"""The daemon on a machine that is not as it should be: every complaint names the thing, and nothing is lost."""

import os
import re
import signal
import subprocess

import pytest

from harness import images
from harness.containerd import Containerd
from harness.pacelined import BIN, Pacelined
from harness.processes import run, wait_until


def refuses_to_start(daemon, *expected):
    """Starts it, waits for its end, and returns what it said."""
    daemon.start(wait=False)
    code = daemon.process.child.wait(20)
    daemon.process = None
    said = daemon.log()
    assert code not in (0, 99) and code > 0, f"ended with {code}\n{said}"
    for pattern in expected:
        assert re.search(pattern, said, re.IGNORECASE), f"does not say {pattern!r}:\n{said}"
    return said


@pytest.fixture
def tmpfs(tmp_path):
    """tmpfs(options) mounts a small file system; unmounted at the end."""
    mounted = []

    def mount(options):
        where = tmp_path / f"tmpfs-{len(mounted)}"
        where.mkdir()
        run("mount", "-t", "tmpfs", "-o", options, "tmpfs", where)
        mounted.append(where)
        return where
    yield mount
    for where in mounted:
        run("umount", "-l", where)


def test_version(tmp_path):
    for name in ("pacelined", "paceline"):
        assert re.search(r"\d+\.\d+\.\d+", run(BIN / name, "--version").stdout)


def test_lost_output_is_an_error():
    """A reader that has had enough (head) is none worth a word."""
    for command in ([BIN / "pacelined", "config", "default"], [BIN / "pacelined", "--help"], [BIN / "paceline", "--help"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
        assert done.returncode == 1
        assert re.fullmatch(r"(error|pacelined): cannot write the output: No space left on device\n", done.stderr)
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=20)
        os.close(writing)
        assert done.returncode == -signal.SIGPIPE and not done.stderr


def test_a_check_without_a_file(tmp_path):
    absent = run(BIN / "pacelined", "config", "check", tmp_path / "absent.toml", check=False)
    assert absent.returncode == 2 and "absent.toml" in absent.stderr
    relative = run(BIN / "pacelined", "--root", "rel", check=False)
    assert relative.returncode == 2 and '--root: "rel" must be an absolute path' in relative.stdout + relative.stderr


def test_a_socket_in_use_is_left_alone(tmp_path, pacelined, closing, push):
    second = Pacelined(tmp_path / "second")
    second.run_dir, second.address = pacelined.run_dir, pacelined.address
    refuses_to_start(second, re.escape(str(pacelined.address)))
    assert pacelined.alive
    pacelined.cli("prefetch", push().reference)


def test_a_root_in_use_is_left_alone(tmp_path, pacelined, closing):
    second = closing(Pacelined(tmp_path / "second"))
    second.root = pacelined.root
    refuses_to_start(second, re.escape(str(pacelined.root)))
    assert pacelined.alive


def test_a_mirror_port_in_use(tmp_path, pacelined, closing):
    second = closing(Pacelined(tmp_path / "second"))
    second.settings["mirror.address"] = pacelined.settings["mirror.address"]
    refuses_to_start(second, str(pacelined.mirror_port))


def test_a_socket_left_by_a_killed_daemon_is_taken_over(pacelined):
    pacelined.kill()
    assert pacelined.address.exists()
    pacelined.start()
    assert pacelined.alive


def test_an_unwritable_root(tmp_path, closing, tmpfs):
    daemon = closing(Pacelined(tmp_path / "pacelined"))
    daemon.root = tmpfs("ro,size=1m") / "root"
    refuses_to_start(daemon, re.escape(str(daemon.root.parent)), r"read-only")


@pytest.mark.parametrize("text, expected", [
    ("version = 1\n[mirror\n", r"config\.toml:\d+|line 2"),
    ("version = 1\n[fetch]\nretrys = 3\n", r"retrys.*retries"),
    ("version = 1\n[fetch]\nretries = \"many\"\n", r"fetch\.retries"),
    ("version = 1\n[mirror]\naddress = \"0.0.0.0:80\"\n", r"mirror\.address"),
    ("version = 99\n", r"version"),
    ("version = 1\n[concurrency]\nmode = \"adaptiv\"\n", r"adaptive"),
], ids=["syntax", "unknown key", "wrong type", "open mirror", "future version", "unknown mode"])
def test_a_malformed_config(tmp_path, closing, text, expected):
    daemon = closing(Pacelined(tmp_path / "pacelined"))
    daemon.write_config = lambda: daemon.config_file.write_text(text)
    refuses_to_start(daemon, expected)
    checked = run(BIN / "pacelined", "config", "check", daemon.config_file, check=False)
    assert checked.returncode == 2
    assert re.search(expected, checked.stderr + checked.stdout)


def test_a_missing_config_that_was_named(tmp_path, closing):
    daemon = closing(Pacelined(tmp_path / "pacelined"))
    daemon.write_config = lambda: None
    refuses_to_start(daemon, re.escape(str(daemon.config_file)))


def test_the_default_config_is_valid(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(run(BIN / "pacelined", "config", "default").stdout)
    run(BIN / "pacelined", "config", "check", file)


def test_a_reload_says_what_changed(pacelined):
    pacelined.settings |= {"fetch.retries": 9, "log.level": "debug"}
    pacelined.write_config()
    pacelined.process.signal(signal.SIGHUP)
    wait_until(lambda: re.search(r"fetch\.retries: 5 . 9", pacelined.log()), "the reload's log line")
    pacelined.config_file.write_text("version = 1\nnonsense")
    pacelined.process.signal(signal.SIGHUP)
    wait_until(lambda: re.search(r"config\.toml:?.*2|line 2", pacelined.log()), "the mistake in the log")
    assert pacelined.alive


@pytest.mark.sanitized
def test_a_damaged_blob_is_found(pacelined, push):
    pushed = push()
    pacelined.cli("prefetch", pushed.reference)
    pacelined.cli("verify")
    victim = pushed.image.layer_digests[1]
    [path] = [p for p in pacelined.content.rglob(victim.removeprefix("sha256:")) if p.is_file()]
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    done = pacelined.cli("verify", check=False)
    assert done.returncode == 1
    assert victim in done.stdout + done.stderr
    assert pacelined.alive
    # It was hidden, so it is dropped and fetched again.
    pacelined.cli("prefetch", pushed.reference)
    pacelined.cli("verify")


@pytest.mark.sanitized
def test_a_full_disk(tmp_path, closing, push, tmpfs):
    daemon = closing(Pacelined(tmp_path / "pacelined", {"store.free_floor": 0, "fetch.retries": 1}))
    daemon.root = tmpfs("size=8m")
    daemon.start()
    small = push()
    daemon.cli("prefetch", small.reference)
    large = push(sizes=[12 * images.MIB])
    done = daemon.cli("prefetch", large.reference, check=False)
    assert done.returncode == 1
    assert re.search(r"no space|space left|disk|free|RESOURCE_EXHAUSTED", done.stdout + done.stderr), done.stderr
    assert daemon.alive
    daemon.cli("verify")
    assert {blob["digest"] for blob in daemon.cli_json("blobs")} >= set(small.image.layer_digests)


def test_the_free_space_floor_is_kept(tmp_path, closing, push, tmpfs):
    daemon = closing(Pacelined(tmp_path / "pacelined", {"store.free_floor": "12 MiB", "fetch.retries": 1}))
    daemon.root = tmpfs("size=16m")
    daemon.start()
    done = daemon.cli("prefetch", push(sizes=[6 * images.MIB]).reference, check=False)
    assert done.returncode == 1
    assert re.search(r"free|space|RESOURCE_EXHAUSTED", done.stdout + done.stderr), done.stderr
    assert daemon.alive


def test_a_quota_evicts_hidden_blobs_only(make_node, push):
    node = make_node(settings={"store.quota": "8MiB"}).start()
    listed = push(sizes=[2 * images.MIB])
    node.containerd.pull(listed.reference)
    for _ in range(4):
        node.daemon.cli("prefetch", push(sizes=[2 * images.MIB]).reference)
    assert node.daemon.blobs_on_disk() >= set(listed.image.blobs)
    assert sum(blob["size_bytes"] for blob in node.daemon.cli_json("blobs")) <= 8 * images.MIB


def test_a_container_runs_while_the_disk_is_full(tmp_path, version, closing, push, tmpfs):
    """containerd gets the daemon's refusal, not a hang, and what it has still runs."""
    daemon = closing(Pacelined(tmp_path / "pacelined", {"store.free_floor": 0, "fetch.retries": 1}))
    daemon.root = tmpfs("size=8m")
    daemon.start()
    containerd = closing(Containerd(version, tmp_path / "containerd", store=daemon.address,
                                    mirror_port=daemon.mirror_port)).start()
    small = push()
    containerd.pull(small.reference)
    large = push(sizes=[12 * images.MIB])
    assert containerd.pull(large.reference, check=False, timeout=90).returncode != 0
    assert daemon.alive
    assert containerd.run_image(small.reference) == small.image.output
    containerd.remove(small.reference)
