"""The daemon goes away: in the middle of a pull, politely or not, or is late at containerd's start."""

import signal

import pytest

from harness import images
from harness.containerd import Containerd
from harness.cri import ImageService
from harness.pacelined import Pacelined
from harness.processes import wait_until
from harness.slow_link import SlowLink

SIZES = [3 * images.MIB, 2 * images.MIB, images.MIB]


def pull_until_it_works(node, reference):
    """What kubelet does: a pull that failed because the daemon went away is asked for again."""
    def attempt():
        return node.containerd.pull(reference, check=False, timeout=60).returncode == 0
    wait_until(attempt, "the pull to work after the daemon came back", 60, every=0.5)


@pytest.mark.sanitized
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_daemon_restart_in_the_middle_of_a_pull(node, push, registry, closing, tmp_path, how):
    link = closing(SlowLink(registry.host, 12 * images.MIB))
    pushed = push(sizes=[22 * images.MIB, images.MIB], host=link.host)
    pull = closing(node.containerd.pull_in_background(pushed.reference, tmp_path / "ctr.log"))
    wait_until(lambda: link.relayed > 17 * images.MIB, "most of the image")
    if how == "SIGTERM":
        node.daemon.stop()
    else:
        node.daemon.kill()
    link.full_speed()
    node.daemon.start()
    try:
        worked = pull.child.wait(40) == 0
    except Exception:
        worked = False
        pull.stop()
    if not worked:
        pull_until_it_works(node, pushed.reference)

    ours, others = pushed.layer_requests()
    assert not others, f"containerd fetched layers itself: {others}"
    # What passed the link, not what the registry's log says: it also counts what was still in socket buffers. Progress is
    # recorded every 8 MiB of a layer, and at a polite end; starting over would cost all 17 MiB.
    lost = images.MIB if how == "SIGTERM" else 9 * images.MIB
    assert link.relayed <= pushed.image.layer_bytes + lost, "the restart threw away what was fetched"
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def test_containerd_restart_in_the_middle_of_a_pull(node, push, registry, closing, tmp_path):
    link = closing(SlowLink(registry.host, 2 * images.MIB))
    pushed = push(sizes=SIZES, host=link.host)
    pull = closing(node.containerd.pull_in_background(pushed.reference, tmp_path / "ctr.log"))
    wait_until(lambda: link.relayed > 2 * images.MIB, "a third of the image")
    node.containerd.process.kill()
    pull.stop()
    link.full_speed()
    node.containerd.start()
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def test_an_interrupted_client_loses_nothing(node, push, registry, closing, tmp_path):
    """Ctrl-C on `ctr`: no Abort arrives; the next pull goes on from there."""
    link = closing(SlowLink(registry.host, 2 * images.MIB))
    pushed = push(sizes=SIZES, host=link.host)
    pull = closing(node.containerd.pull_in_background(pushed.reference, tmp_path / "ctr.log"))
    wait_until(lambda: link.relayed > 2 * images.MIB, "a third of the image")
    pull.signal(signal.SIGINT)
    pull.stop()
    link.full_speed()
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


@pytest.mark.parametrize("client", ["ctr", "cri"])
def test_daemon_absent_at_containerds_start(make_node, closing, push, client):
    node = make_node(cri=client == "cri")
    node.containerd.start()
    assert node.containerd.process.running
    node.daemon.start()
    pushed = push()
    if client == "cri":
        closing(ImageService(node.containerd.address)).pull(pushed.reference)
    else:
        node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    namespace = "k8s.io" if client == "cri" else "default"
    assert node.containerd.run_image(pushed.reference, namespace=namespace) == pushed.image.output


def test_what_containerd_forgot_while_the_daemon_was_away(node, push):
    """Its collection forgets the blobs, and cannot delete them: containerd then opens Writes for blobs that are listed, or
    deletes them while the next pull goes on."""
    pushed = push()
    node.containerd.pull(pushed.reference)
    node.daemon.kill()
    node.containerd.ctr("images", "remove", "--sync", pushed.reference, check=False)
    node.daemon.start()
    pull_until_it_works(node, pushed.reference)
    ours, others = pushed.layer_requests()
    assert not others, f"containerd fetched layers itself: {others}"
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def test_everything_is_there_after_both_restarted(node, push):
    pushed = push()
    node.containerd.pull(pushed.reference)
    node.containerd.stop()
    node.daemon.stop()
    node.daemon.start()
    node.containerd.start()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output
    node.containerd.remove(pushed.reference)
    assert node.daemon.blobs_on_disk() == set()


def test_in_place_adoption_and_back(tmp_path, version, closing, push):
    """Over containerd's own content, and away again: every image runs at every step."""
    before, during, after = push(), push(), push()
    plain = closing(Containerd(version, tmp_path / "containerd")).start()
    plain.pull(before.reference)
    plain.stop()

    daemon = closing(Pacelined(tmp_path / "pacelined", {"store.content": plain.content_root})).start()
    with_paceline = closing(Containerd(version, tmp_path / "containerd", store=daemon.address,
                                       mirror_port=daemon.mirror_port)).start()
    assert with_paceline.run_image(before.reference) == before.image.output
    with_paceline.pull(during.reference)
    during.assert_fetched_once_by_the_daemon()
    assert with_paceline.run_image(during.reference) == during.image.output
    with_paceline.stop()
    daemon.stop()

    # The snapshots would do for `ctr run`; only reading the content proves that it is there.
    plain.start()
    assert plain.content() == {p.image.digest for p in (before, during)} | {*before.image.blobs, *during.image.blobs}
    for pushed in (before, during):
        exported = tmp_path / "exported.tar"
        plain.ctr("images", "export", exported, pushed.reference)
        assert plain.run_image(pushed.reference) == pushed.image.output
    plain.pull(after.reference)
    assert plain.run_image(after.reference) == after.image.output
    for pushed in (before, during, after):
        plain.remove(pushed.reference)
    assert plain.content() == set()
