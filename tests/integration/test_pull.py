"""Cold pulls through a real containerd: the daemon fetches every layer, the container runs, the collection leaves nothing."""

import pytest

from harness import images
from harness.cri import ImageService


@pytest.mark.sanitized
@pytest.mark.parametrize("shape", ["oci", "docker", "index"])
def test_ctr_pull_and_run(node, push, way, shape):
    pushed = push(**{"oci": {}, "docker": {"kind": images.DOCKER}, "index": {"index": True}}[shape])
    node.containerd.pull(pushed.reference, local=way == "local")
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


@pytest.mark.sanitized
def test_cri_pull(make_node, closing, push):
    pushed = push()
    node = make_node(cri=True).start()
    service = closing(ImageService(node.containerd.address))
    service.pull(pushed.reference)
    assert service.list() == [pushed.reference]
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output
    service.remove(pushed.reference)
    assert service.list() == []


def test_a_larger_image_of_many_layers(node, push):
    pushed = push(sizes=[4 * images.MIB] + [50 * images.KIB] * 20 + [2 * images.MIB] * 3)
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def test_removal_collects_every_blob(node, push):
    kept, removed = push(), push()
    for pushed in (kept, removed):
        node.containerd.pull(pushed.reference)
    node.containerd.remove(removed.reference)
    expected = {kept.image.digest, *kept.image.blobs}
    assert node.containerd.content() == expected
    assert node.daemon.blobs_on_disk() == expected
    assert node.containerd.run_image(kept.reference) == kept.image.output
    node.containerd.remove(kept.reference)
    assert node.daemon.blobs_on_disk() == set()


def test_a_pull_right_after_a_removal(node, push):
    """The mirror still knows the manifest, so that nothing is planned anew; the blobs are gone all the same."""
    pushed = push()
    node.containerd.pull(pushed.reference)
    node.containerd.remove(pushed.reference)
    node.containerd.pull(pushed.reference)
    ours, others = pushed.layer_requests()
    assert not others, f"containerd fetched layers itself: {others}"
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def test_where_namespaces_share_nothing_each_brings_its_own(make_node, push):
    pushed = push()
    node = make_node()
    node.containerd.extra_config = '[plugins."io.containerd.metadata.v1.bolt"]\n  content_sharing_policy = "isolated"'
    node.start()
    for namespace in ("default", "elsewhere"):
        node.containerd.pull(pushed.reference, namespace=namespace)
        assert node.containerd.run_image(pushed.reference, namespace=namespace) == pushed.image.output
    ours, others = pushed.layer_requests()
    assert ours and others


def test_a_second_namespace_downloads_nothing(node, push):
    pushed = push()
    node.containerd.pull(pushed.reference)
    node.containerd.pull(pushed.reference, namespace="elsewhere")
    pushed.assert_fetched_once_by_the_daemon()
    node.containerd.remove(pushed.reference)
    assert node.containerd.run_image(pushed.reference, namespace="elsewhere") == pushed.image.output


def test_images_that_share_layers_fetch_them_once(node, registry, push):
    first = push()
    shorter = images.make_image(first.image.name, sizes=(300 * images.KIB, 200 * images.KIB))
    assert shorter.layer_digests == first.image.layer_digests[:3]
    reference = registry.push(shorter, first.repository, tag="shorter")
    node.containerd.pull(first.reference)
    node.containerd.pull(reference)
    first.assert_fetched_once_by_the_daemon()


def test_two_pulls_of_one_image_at_once(node, push, tmp_path):
    pushed = push(sizes=[3 * images.MIB, images.MIB])
    pulls = [node.containerd.pull_in_background(pushed.reference, tmp_path / f"ctr-{i}.log", namespace=f"n{i}")
             for i in range(3)]
    for pull in pulls:
        assert pull.child.wait(60) == 0, pull.output()
    pushed.assert_fetched_once_by_the_daemon()
    for i in range(3):
        assert node.containerd.run_image(pushed.reference, namespace=f"n{i}") == pushed.image.output


def test_every_platform_of_an_index(node, push):
    """Layers of foreign platforms are nobody's plan: containerd may fetch those itself, and the pull must still work."""
    pushed = push(index=True)
    node.containerd.pull(pushed.reference, all_platforms=True, local=True)
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.content() >= {images.digest_of(data) for data in pushed.image.foreign_blobs}
