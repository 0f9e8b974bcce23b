"""Images asked for ahead of time: hidden from containerd's garbage collection, adopted by the pull, one flight a layer."""

import concurrent.futures
import itertools
import time

import pytest

from harness import images
from harness.pacelined import BIN
from harness.processes import run


@pytest.mark.sanitized
def test_prefetched_blobs_survive_a_collection_and_are_adopted(node, push):
    pushed, other = push(), push()
    node.daemon.cli("prefetch", pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    node.containerd.pull(other.reference)
    node.containerd.remove(other.reference)
    node.containerd.collect_garbage()
    hidden = {blob["digest"] for blob in node.daemon.cli_json("blobs")}
    assert hidden >= set(pushed.image.layer_digests), "the collection took prefetched blobs"
    assert not node.containerd.content()
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output
    node.containerd.remove(pushed.reference)
    assert node.daemon.blobs_on_disk() == set()
    assert node.daemon.cli_json("blobs") == []


def test_hidden_blobs_survive_both_restarts(node, push):
    pushed = push()
    node.daemon.cli("prefetch", pushed.reference)
    node.containerd.stop()
    node.daemon.kill()
    node.daemon.start()
    node.containerd.start()
    node.containerd.collect_garbage()
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def test_a_pinned_image_outlives_its_removal(node, push):
    pushed = push()
    node.daemon.cli("prefetch", "--pin", pushed.reference)
    node.containerd.pull(pushed.reference)
    node.containerd.remove(pushed.reference)
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output
    node.containerd.remove(pushed.reference)
    node.daemon.cli("unpin", pushed.reference)
    node.daemon.cli("evict", "--all")
    assert node.daemon.cli_json("blobs") == []


def test_a_pull_joins_a_prefetch_under_way(node, push):
    pushed = push(sizes=[3 * images.MIB, images.MIB])
    node.daemon.cli("prefetch", "--no-wait", pushed.reference)
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


CAP = 500_000  # bytes a second


@pytest.mark.one_version
@pytest.mark.parametrize("key", ["prefetch.bytes_per_second", "concurrency.prefetch_bytes_per_second"])
def test_a_cap_holds_within_ranges_until_the_image_is_wanted(make_node, push, key):
    node = make_node(settings={key: CAP}).start()
    pushed = push(sizes=[64 * images.MIB])
    node.daemon.cli("prefetch", "--no-wait", pushed.reference)
    looks = []  # A moment before, bytes received, a moment after.
    end = time.monotonic() + 6
    while time.monotonic() < end:
        before = time.monotonic()
        received = sum(pull.get("received_bytes", 0) for pull in node.daemon.cli_json("pulls"))
        looks.append((before, received, time.monotonic()))
    assert 0 < looks[-1][1] < 10 * CAP
    for earlier, later in itertools.combinations(looks, 2):
        if later[0] - earlier[2] >= 2:
            assert later[1] - earlier[1] <= 1.1 * CAP * (later[2] - earlier[0])
    node.containerd.pull(pushed.reference)  # Under the cap it would take longer than is waited for.
    pushed.assert_fetched_once_by_the_daemon()


@pytest.mark.sanitized
def test_fifty_prefetches_at_once(pacelined, push):
    """Fifty clients for ten images: every layer once."""
    pushed = [push(sizes=[200 * images.KIB, 100 * images.KIB]) for _ in range(10)]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        for done in pool.map(lambda i: pacelined.cli("prefetch", pushed[i % 10].reference, check=False), range(50)):
            assert done.returncode == 0, done.stderr
    for one in pushed:
        one.assert_fetched_once_by_the_daemon(whole=False)
    stored = {blob["digest"] for blob in pacelined.cli_json("blobs")}
    assert stored >= {digest for one in pushed for digest in one.image.layer_digests}
    assert pacelined.alive


def test_the_commands_answer_in_text_and_json(pacelined, push):
    pushed = push()
    assert pushed.reference.split("/")[0] in pacelined.cli("prefetch", pushed.reference).stdout
    for command in (["pulls", "--all"], ["status"], ["blobs"], ["verify"], ["paths"], ["version"]):
        assert pacelined.cli(*command).stdout.strip(), command
        assert pacelined.cli_json(*command), command
    assert pacelined.cli("status").stdout
    assert pacelined.cli_json("paths")[0]


def test_a_daemon_that_is_not_there(tmp_path):
    done = run(BIN / "paceline", "--address", tmp_path / "none.sock", "pulls", check=False)
    assert done.returncode == 3
    assert str(tmp_path / "none.sock") in done.stderr
