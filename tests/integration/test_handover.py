"""When the daemon's own fetch fails, containerd goes on where it stopped: a pull never ends worse than without it."""

import pytest

from harness import images
from harness.fault_registry import FaultRegistry, dies_beyond, for_the_daemon, on_layers, slow, status
from harness.processes import wait_until

SETTINGS = {"fetch.retries": 1}
SIZES = [3 * images.MIB, 100 * images.KIB]
K = 1_000_000


def beyond_k_of_the_large_layer(request):
    return len(request.body) > 2 * K and dies_beyond(K)(request)


@pytest.mark.sanitized
def test_containerd_finishes_a_layer_from_where_the_upstream_died(make_node, closing, way):
    node = make_node(settings=SETTINGS).start()
    image = images.make_image("handover", sizes=SIZES)
    upstream = closing(FaultRegistry(image, on_layers(for_the_daemon(beyond_k_of_the_large_layer))))
    node.containerd.pull(upstream.reference, local=way == "local")
    large = max(image.layers, key=lambda layer: len(layer.data)).digest
    _, others = upstream.layer_requests()
    assert {seen.path.rsplit("/", 1)[-1] for seen in others} == {large}
    assert min(int(seen.range.removeprefix("bytes=").split("-")[0]) for seen in others) == K
    assert node.containerd.run_image(upstream.reference) == image.output
    node.containerd.remove(upstream.reference)
    assert node.daemon.blobs_on_disk() == set()


def test_containerd_fetches_what_the_daemon_is_refused(make_node, closing):
    node = make_node(settings=SETTINGS).start()
    image = images.make_image("refused", sizes=SIZES)
    upstream = closing(FaultRegistry(image, on_layers(for_the_daemon(status(403)))))
    node.containerd.pull(upstream.reference)
    assert node.containerd.run_image(upstream.reference) == image.output


def test_a_cancelled_pull_is_finished_by_containerd(make_node, closing, tmp_path):
    node = make_node(settings=SETTINGS).start()
    image = images.make_image("cancelled", sizes=SIZES)
    upstream = closing(FaultRegistry(image, on_layers(for_the_daemon(slow(300_000)))))
    pull = closing(node.containerd.pull_in_background(upstream.reference, tmp_path / "ctr.log"))
    pulls = wait_until(lambda: [p for p in node.daemon.cli_json("pulls") if p.get("received_bytes")], "a pull with progress")
    node.daemon.cli("cancel", pulls[0]["pull_id"])
    assert pull.child.wait(60) == 0, pull.output()
    assert node.containerd.run_image(upstream.reference) == image.output
