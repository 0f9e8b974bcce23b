"""Cold-start records of real pulls: phases that add up to what an outside clock measured, and the first task's start."""

import time

import pytest

from harness import images
from harness.slow_link import SlowLink

PULL_PHASES = {"queue", "token", "resolve", "manifest", "connect", "fetch", "verify"}


def phases_add_up(record, end):
    """They follow each other from 0 to `end` without gap or overlap."""
    at = 0
    for phase in record["phases"]:
        assert phase["start_ms"] == pytest.approx(at, abs=0.01), record["phases"]
        at = phase["end_ms"]
    assert at == pytest.approx(end, abs=0.01)


def records(daemon, *options):
    return daemon.cli_json("report", "--pulls", *options)


def wait_for(condition, what, seconds=20):
    """The records are written on a thread of their own, and containerd tells of its tasks a moment later."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {what}")


@pytest.mark.one_version
def test_phases_add_up_to_an_outside_clock(node, push):
    """The client's own start and the connection to the daemon are in the outside time: as small as they are, 5 % of a pull
    of some megabytes over loopback would be less. So the image is large."""
    pushed = push(sizes=[64 * images.MIB] * 3)
    begun = time.monotonic()
    node.daemon.cli("version")
    client = time.monotonic() - begun
    begun = time.monotonic()
    node.daemon.cli("prefetch", pushed.reference)
    outside_ms = (time.monotonic() - begun - client) * 1000
    summary = wait_for(lambda: records(node.daemon), "record")[0]
    record = node.daemon.cli_json("explain", summary["pull_id"])[0]
    phases_add_up(record, record["pull_ms"])
    assert {phase["name"] for phase in record["phases"]} <= PULL_PHASES
    # The client looks for changes ten times a second, which is the clock's own error.
    assert record["pull_ms"] == pytest.approx(outside_ms, rel=0.05, abs=110)
    assert record["fetched_bytes"] == record["total_bytes"] + record["wasted_bytes"]
    assert record["lower_bound_ms"] > 0 and set(record["predicted_ms"]) == {"1", "3", "5", "7", "9", "10"}
    assert record["streams"] and record["hosts"][0]["segments"] > 0


@pytest.mark.parametrize("snapshotter", [False, True], ids=["content", "snapshotter"])
def test_a_cold_start_reaches_to_its_first_task(make_node, push, snapshotter):
    node = make_node(snapshotter=snapshotter, settings={"snapshotter.enabled": snapshotter}).start()
    pushed = push(sizes=[8 * images.MIB, images.MIB])
    before = time.time()
    node.containerd.pull(pushed.reference)
    assert node.containerd.run_image(pushed.reference) == pushed.image.output
    after = time.time()
    summary = wait_for(lambda: [one for one in records(node.daemon, "--source", "foreground") if one["cold_start_ms"]],
                       "cold start")[0]
    record = node.daemon.cli_json("explain", summary["pull_id"])[0]
    phases_add_up(record, record["cold_start_ms"])
    assert record["container"]["started_ms"] == record["cold_start_ms"]
    assert before * 1000 - 2 <= record["started_unix_ms"]
    assert record["started_unix_ms"] + record["cold_start_ms"] <= after * 1000 + 2
    assert {"containerd", "start"} <= {phase["name"] for phase in record["phases"]}
    layers = [layer for layer in record["layers"][1:]]
    assert all(layer["verified_ms"] is not None for layer in layers)
    if snapshotter and node.containerd.version.major >= 2:  # Before that ctr unpacks by itself, and nothing is unpacked ahead for it.
        assert all(layer["unpack_end_ms"] is not None for layer in layers)


@pytest.mark.parametrize("snapshotter", [False, True], ids=["content", "snapshotter"])
def test_a_cold_start_adds_up_to_an_outside_clock(make_node, push, registry, closing, snapshotter):
    """From ctr's pull to the container's first word. The link makes it last some seconds, beside which the clients' own start
    and the way of the word to us are small."""
    link = closing(SlowLink(registry.host, 8 * images.MIB))
    node = make_node(snapshotter=snapshotter, settings={"snapshotter.enabled": snapshotter}).start()
    pushed = push(sizes=[16 * images.MIB] * 3, host=link.host)
    begun = time.monotonic()
    node.containerd.ctr("version")
    client = time.monotonic() - begun
    begun = time.monotonic()
    node.containerd.pull(pushed.reference)
    spoke, word = node.containerd.first_word(pushed.reference)
    assert word == pushed.image.output.splitlines(keepends=True)[0]
    outside_ms = (spoke - begun - client) * 1000
    summary = wait_for(lambda: [one for one in records(node.daemon) if one["cold_start_ms"]], "cold start")[0]
    record = node.daemon.cli_json("explain", summary["pull_id"])[0]
    phases_add_up(record, record["cold_start_ms"])
    assert record["phases"][-1]["name"] == "start"
    assert sum(phase["end_ms"] - phase["start_ms"] for phase in record["phases"]) == pytest.approx(outside_ms, rel=0.05)


@pytest.mark.one_version
def test_an_experiment_gives_arms_in_turn(make_node, push):
    node = make_node(settings={"experiment.arms": ["adaptive", "fixed:3"]}).start()
    for _ in range(4):
        node.daemon.cli("prefetch", push().reference)
    listed = wait_for(lambda: len(found := records(node.daemon)) == 4 and found, "four records")
    assert [one["policy"] for one in reversed(listed)] == ["adaptive", "fixed:3"] * 2
    rows = node.daemon.cli_json("report")
    assert {row["group"]: row["pull"]["count"] for row in rows} == {"adaptive": 2, "fixed:3": 2}
    for output in ("table", "csv", "html"):
        assert "fixed:3" in node.daemon.cli("report", "--output", output).stdout


@pytest.mark.one_version
def test_what_was_prefetched_is_adopted(node, push):
    pushed = push()
    node.daemon.cli("prefetch", pushed.reference)
    node.containerd.pull(pushed.reference)
    adopted = wait_for(lambda: records(node.daemon, "--source", "adopted"), "adopted pull")
    assert adopted[0]["fetched_bytes"] == 0
