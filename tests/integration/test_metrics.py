"""What Prometheus and a node's health checks see of a daemon that pulls, compared with the registry's log and the records."""

import collections
import re

import pytest

from harness import images
from harness.fault_registry import FaultRegistry, ignores_ranges, on_layers, status, times
from harness.pacelined import Pacelined
from harness.processes import wait_until
from harness.scrape import Scrape, ask
from harness.slow_link import SlowLink
from harness.versions import ROOT

COUNT = "paceline_image_pull_duration_seconds_count"
PHASES = "paceline_cold_start_duration_seconds"
ROUNDED = 1e-5  # seconds: records are written with microseconds


def seen_when(daemon, condition, what):
    """Paths are published a moment after they changed, records are written on a thread of their own."""
    return wait_until(lambda: (seen := Scrape(daemon)) and condition(seen) and seen, f"{what} in the metrics")


def record_of(daemon, index=0):
    listed = wait_until(lambda: daemon.cli_json("report", "--pulls"), "a record")
    return daemon.cli_json("explain", listed[index]["pull_id"])[0]


@pytest.mark.sanitized
def test_a_pull_is_counted(node, push, registry):
    pushed = push()
    asked_before = len(registry.requests())
    before = Scrape(node.daemon)
    assert before.total(COUNT) == 0 and before.total(PHASES + "_count") == 0
    assert before.total("process_start_time_seconds") > 0
    node.containerd.pull(pushed.reference)

    found = seen_when(node.daemon, lambda seen: seen.total(PHASES + "_count", phase="pull")
                      and seen.total("paceline_fetch_bytes_total") >= pushed.image.layer_bytes, "the pull")
    assert found.total(COUNT) == 1
    assert found.total(COUNT, source="mirror", result="ok", policy="adaptive", image_size_in_bytes="0-10MB") == 1
    assert found.total("paceline_image_pull_duration_seconds_bucket", le="+Inf") == 1
    assert found.total("paceline_store_bytes", state="listed") >= pushed.image.layer_bytes
    assert found.total("paceline_pulls") == 0

    # As the record has it.
    record = record_of(node.daemon)
    assert found.total("paceline_fetch_bytes_total", registry=registry.host, source="foreground") == record["fetched_bytes"]
    assert found.total("paceline_fetch_bytes_total", source="prefetch") == 0
    assert found.total(PHASES + "_sum", phase="pull") == pytest.approx(record["pull_ms"] / 1000, abs=ROUNDED)
    for phase in record["phases"]:
        assert found.total(PHASES + "_sum", policy="adaptive", phase=phase["name"]) \
            == pytest.approx((phase["end_ms"] - phase["start_ms"]) / 1000, abs=ROUNDED)
    assert found.total("paceline_layer_fetch_duration_seconds_count") == len(pushed.image.layers)
    changes = found.total("paceline_concurrency_changes_total", registry=registry.host)
    assert len(record["streams"]) - 1 <= changes <= len(record["streams"])
    assert found.total("paceline_registry_rtt_seconds", registry=registry.host) > 0
    assert found.total("paceline_concurrency_limit", registry=registry.host) >= 1

    # As containerd and the registry have it.
    assert found.total("paceline_content_adopted_total") >= len(node.containerd.content())
    log = collections.Counter(str(request.status) for request in registry.requests()[asked_before:])
    assert log == {labels["code"]: value for labels, value
                   in found.series("paceline_registry_requests_total", registry=registry.host)}
    write = {"grpc_service": "containerd.services.content.v1.Content", "grpc_method": "Write"}
    # Not one a layer: of what has arrived already, containerd is told so before it opens a Write.
    assert found.total("paceline_grpc_server_handling_seconds_count", **write) >= 1
    for secret in (pushed.image.name, pushed.image.digest, *pushed.image.layer_digests):
        assert secret.removeprefix("sha256:") not in found.text, "images are nobody's business"


def test_the_start_of_a_container_is_counted(node, push):
    pushed = push()
    node.containerd.pull(pushed.reference)
    node.containerd.run_image(pushed.reference)
    found = seen_when(node.daemon, lambda seen: seen.total(PHASES + "_count", phase="total"), "the container's start")
    record = record_of(node.daemon)
    assert found.total(PHASES + "_count", phase="fetch") == 1, "a phase is counted once"
    assert found.total(PHASES + "_sum", phase="total") == pytest.approx(record["cold_start_ms"] / 1000, abs=ROUNDED)
    parts = sum(found.total(PHASES + "_sum", phase=phase["name"]) for phase in record["phases"])
    assert parts == pytest.approx(found.total(PHASES + "_sum", phase="total"))


def test_layers_unpacked_by_the_daemon_are_counted(make_node, push):
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True).start()
    pushed = push()
    node.daemon.cli("prefetch", "--unpack", pushed.reference)
    found = seen_when(node.daemon, lambda seen: seen.total("paceline_layer_unpack_duration_seconds_count"), "the layers")
    assert found.total("paceline_layer_unpack_duration_seconds_count") == len(pushed.image.layers)
    assert found.total(PHASES + "_count") == 0, "a prefetch is no cold start"


@pytest.mark.one_version
def test_prefetches_share_downloads_and_are_dropped_unused(pacelined, registry, closing, push):
    link = closing(SlowLink(registry.host, 512 * images.KIB))
    pushed = push(sizes=[images.MIB], host=link.host)
    # The same blobs by another name, while they are on their way.
    registry.push(pushed.image, pushed.repository + "-twin")
    pacelined.cli("prefetch", "--no-wait", pushed.reference)
    wait_until(lambda: link.relayed > 100_000, "bytes on the link")
    pacelined.cli("prefetch", "--no-wait", f"{link.host}/{pushed.repository}-twin:latest")
    seen_when(pacelined, lambda seen: seen.total("paceline_pulls", state="fetching") == 2, "two pulls")
    link.full_speed()
    blobs = len(pushed.image.blobs)
    found = seen_when(pacelined, lambda seen: seen.total(COUNT, source="prefetch", result="ok") == 2, "both pulls' end")
    assert 1 <= found.total("paceline_singleflight_hits_total") <= blobs
    seen_when(pacelined, lambda seen: seen.total("paceline_fetch_bytes_total", registry=link.host, source="prefetch")
              >= pushed.image.layer_bytes, "the bytes")
    hidden = found.total("paceline_store_bytes", state="hidden")
    pacelined.cli("evict", "--all")
    found = Scrape(pacelined)
    assert found.total("paceline_prefetch_unused_bytes_total") == hidden
    assert found.total("paceline_store_evictions_total", reason="request") >= blobs
    assert found.total("paceline_store_bytes") == 0


@pytest.mark.one_version
def test_room_within_the_quota_is_counted(tmp_path, closing, push):
    first, second = push(sizes=[images.MIB]), push(sizes=[images.MIB])
    quota = int(1.5 * max(first.image.layer_bytes, second.image.layer_bytes))
    daemon = closing(Pacelined(tmp_path / "small", {"store.quota": quota})).start()
    for pushed in (first, second):
        daemon.cli("prefetch", pushed.reference)
    found = Scrape(daemon)
    assert found.total("paceline_store_quota_bytes") == quota
    assert found.total("paceline_store_evictions_total", reason="quota") >= 1
    assert found.total("paceline_prefetch_unused_bytes_total") > 0


@pytest.mark.one_version
def test_an_interrupted_download_is_resumed(pacelined, registry, closing, push):
    link = closing(SlowLink(registry.host, images.MIB))
    pushed = push(sizes=[4 * images.MIB], host=link.host)
    pacelined.cli("prefetch", "--no-wait", pushed.reference)
    wait_until(lambda: link.relayed > 2 * images.MIB, "half of the image")
    pacelined.stop()
    pacelined.start()
    link.full_speed()
    found = seen_when(pacelined, lambda seen: seen.total(COUNT, source="resumed", result="ok"), "the end of the pull")
    record = record_of(pacelined)
    assert found.total("paceline_resumed_bytes_total") == record["resumed_bytes"] > 0


@pytest.mark.one_version
def test_throttling_and_retries_are_counted(pacelined, closing):
    image = images.make_image("throttled")
    upstream = closing(FaultRegistry(image, on_layers(times(2, status(429, Retry_After="0")))))
    pacelined.cli("prefetch", upstream.reference)
    found = seen_when(pacelined, lambda seen: seen.total("paceline_registry_throttled_total"), "the throttling")
    assert found.total("paceline_registry_throttled_total", registry=upstream.host) == 2
    assert found.total("paceline_registry_requests_total", registry=upstream.host, code="429") == 2
    assert found.total("paceline_registry_requests_total") == len(upstream.seen)

    broken = closing(FaultRegistry(images.make_image("broken"), on_layers(times(1, status(500)))))
    pacelined.cli("prefetch", broken.reference)
    found = seen_when(pacelined, lambda seen: seen.total("paceline_registry_retries_total"), "the retry")
    assert found.total("paceline_registry_retries_total", registry=broken.host, reason="server_error") == 1


@pytest.mark.one_version
def test_a_host_without_ranges_is_counted(pacelined, closing):
    upstream = closing(FaultRegistry(images.make_image("whole", sizes=[8 * images.MIB]), on_layers(ignores_ranges())))
    pacelined.cli("prefetch", upstream.reference)
    seen_when(pacelined, lambda seen: seen.total("paceline_range_fallback_total", registry=upstream.host) == 1, "the fallback")


@pytest.mark.one_version
def test_an_image_that_is_not_there_is_counted_as_failed(pacelined, registry):
    assert pacelined.cli("prefetch", f"{registry.host}/nothing:here", check=False).returncode != 0
    found = Scrape(pacelined)
    assert found.total(COUNT, source="prefetch", result="failed") == 1
    assert found.total(COUNT, image_size_in_bytes="N/A") == 1


@pytest.mark.one_version
def test_every_family_is_described(pacelined, registry, push):
    """docs/metrics.md and the daemon name the same families."""
    pacelined.cli("prefetch", push().reference)
    found = seen_when(pacelined, lambda seen: "paceline_fetch_bytes_total" in seen.families(), "the families")
    text = (ROOT / "docs" / "metrics.md").read_text()
    described = set(re.findall(r"^\| `((?:paceline|process)_[a-z_]+)`", text, re.MULTILINE))
    assert found.families() == described


def test_health(pacelined):
    assert ask(pacelined, "/healthz")[1] == "ok\n"
    assert ask(pacelined, "/readyz")[1] == "ok\n"


def test_a_port_in_use_does_not_keep_a_daemon_from_starting(tmp_path, pacelined, closing):
    second = Pacelined(tmp_path / "second")
    second.settings["metrics.address"] = pacelined.settings["metrics.address"]
    closing(second).start()
    assert second.alive and pacelined.alive
    assert re.search(f"metrics are not served: .*{pacelined.metrics_port}", second.log())
    assert ask(pacelined, "/healthz")[1] == "ok\n"
