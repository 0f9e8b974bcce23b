"""The harness itself, with plain containerd: if these fail, no other result means anything."""

import pytest

from harness import images
from harness.containerd import Containerd
from harness.cri import ImageService
from harness.fault_registry import FaultRegistry
from harness.registry import Registry, TokenServer, basic, basic_auth
from harness.slow_link import SlowLink

pytestmark = pytest.mark.no_daemon


@pytest.fixture
def plain(tmp_path, version, closing):
    return closing(Containerd(version, tmp_path / "containerd")).start()


@pytest.mark.parametrize("options", [{}, {"kind": images.DOCKER}, {"index": True}], ids=["oci", "docker", "index"])
def test_plain_containerd_pulls_and_runs_the_made_images(plain, push, options):
    pushed = push(**options)
    plain.pull(pushed.reference)
    assert plain.run_image(pushed.reference) == pushed.image.output
    ours, others = pushed.layer_requests()
    assert not ours and len(others) == len(pushed.image.layers)
    assert pushed.registry.bytes_sent(pushed.image, pushed.repository) == \
        {layer.digest: len(layer.data) for layer in pushed.image.layers}
    plain.remove(pushed.reference)
    assert not plain.content()


def test_plain_containerd_pulls_over_cri(tmp_path, version, closing, push):
    pushed = push()
    containerd = closing(Containerd(version, tmp_path / "containerd", cri=True)).start()
    service = closing(ImageService(containerd.address))
    service.pull(pushed.reference)
    assert service.list() == [pushed.reference]
    service.remove(pushed.reference)
    assert service.list() == []


def test_private_registries_want_their_credentials(tmp_path, version, closing, push, plain):
    tokens = closing(TokenServer(tmp_path / "tokens", {"alice": "wonder"}))
    for name, auth in (("basic", basic_auth(tmp_path / "basic", "alice", "wonder")), ("bearer", tokens.auth)):
        private = closing(Registry(tmp_path / f"registry-{name}", auth))
        image = images.make_image(name)
        authorization = basic("alice", "wonder")
        if name == "bearer":
            authorization = "Bearer " + tokens.token("alice", ["repository:team/app:pull,push"])
        reference = private.push(image, "team/app", authorization=authorization)
        assert plain.pull(reference, check=False, timeout=60).returncode != 0
        plain.pull(reference, user="alice:wonder")
        assert plain.run_image(reference) == image.output


@pytest.mark.parametrize("index", [False, True], ids=["image", "index"])
def test_the_scripted_registry_without_a_fault_is_a_registry(plain, closing, index):
    image = images.make_image("faultless", index=index)
    upstream = closing(FaultRegistry(image))
    link = closing(SlowLink(upstream.host, 10 * images.MIB))
    reference = upstream.reference.replace(upstream.host, link.host)
    plain.pull(reference)
    assert plain.run_image(reference) == image.output
    assert link.relayed > image.layer_bytes
