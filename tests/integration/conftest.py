"""Fixtures: one open registry a session; a node (daemon and containerd) a test; every test on every containerd version."""

import itertools
import os
import re

import pytest

from harness import versions
from harness.containerd import Containerd
from harness.images import make_image
from harness.pacelined import BIN, Pacelined
from harness.registry import Registry

SUITES = tuple(os.environ.get("PACELINE_CONTAINERD", " ".join(versions.SUITES)).split())


def pytest_report_header(config):
    found = versions.all_versions()
    return [f"under test: {BIN}"] + [str(found[suite]) for suite in SUITES]


def pytest_generate_tests(metafunc):
    """`version`: every containerd. `way`: also every way that version's `ctr` pulls, "default" and "local"."""
    if "way" in metafunc.fixturenames:
        found = versions.all_versions()
        pairs = [(suite, way) for suite in SUITES for way in ("default", "local")
                 if way == "default" or found[suite].has_transfer_service]
        metafunc.parametrize("version, way", pairs, indirect=["version"], scope="session")
    elif "version" in metafunc.fixturenames:
        one = metafunc.definition.get_closest_marker("one_version")
        metafunc.parametrize("version", SUITES[:1] if one else SUITES, indirect=True, scope="session")


@pytest.fixture(scope="session")
def version(request):
    return versions.all_versions()[request.param]


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    server = Registry(tmp_path_factory.mktemp("registry") / "open")
    yield server
    server.stop()


@pytest.fixture
def closing():
    """Call it with anything that has close() or stop(): done at the test's end, last come first."""
    opened = []

    def keep(thing):
        opened.append(thing)
        return thing
    yield keep
    errors = []
    for thing in reversed(opened):
        try:
            (thing.close if hasattr(thing, "close") else thing.stop)()
        except Exception as error:  # Close the others too; then fail.
            errors.append(error)
    if errors:
        raise errors[0]


class Pushed:
    """An image in the registry under a repository of its own, so that the access log tells its story alone."""

    def __init__(self, registry, image, repository, host=None):
        self.registry, self.image, self.repository = registry, image, repository
        reference = registry.push(image, repository)
        self.reference = reference if host is None else f"{host}/{repository}:latest"

    def layer_requests(self):
        return self.registry.layer_requests(self.image, self.repository)

    def assert_fetched_once_by_the_daemon(self, whole=True):
        """The registry's own log: containerd asked for no layer, and each layer's bytes went out once."""
        ours, others = self.layer_requests()
        assert not others, f"containerd fetched layers itself: {others}"
        sent = self.registry.bytes_sent(self.image, self.repository)
        for layer in self.image.layers:
            size = len(layer.data)
            if whole:
                assert sent[layer.digest] >= size, f"{layer.digest}: {sent[layer.digest]} of {size} bytes fetched"
            # Opening a connection early costs a byte; a stolen range's tail may be on the wire already.
            assert sent[layer.digest] <= size + max(size // 10, 65536), \
                f"{layer.digest} of {size} bytes was fetched more than once: {sent[layer.digest]} bytes"


_serial = itertools.count()


@pytest.fixture
def push(registry, request):
    """push(sizes=…, …) → Pushed, with content of its own in every test."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")

    def push_one(host=None, to=registry, **options):
        name = f"{test}-{next(_serial)}"
        return Pushed(to, make_image(name, **options), name, host)
    return push_one


@pytest.fixture
def pacelined(tmp_path, closing):
    daemon = closing(Pacelined(tmp_path / "pacelined"))
    return daemon.start()


class Node:
    """A worker node: the daemon, and a containerd whose content store it is, and whose snapshotter and differ if asked."""

    def __init__(self, directory, version, closing, cri=False, settings=None, snapshotter=False, differ=False):
        self.version = version
        self.daemon = closing(Pacelined(directory / "pacelined", settings))
        self.containerd = closing(Containerd(version, directory / "containerd", store=self.daemon.address,
                                             mirror_port=self.daemon.mirror_port, cri=cri,
                                             snapshotter=self.daemon.address if snapshotter else None,
                                             differ=self.daemon.address if differ else None))
        self.daemon.settings["containerd.address"] = self.containerd.address

    def start(self):
        self.daemon.start()
        self.containerd.start()
        return self


@pytest.fixture
def make_node(tmp_path, version, closing):
    def make(**options):
        return Node(tmp_path, version, closing, **options)
    return make


@pytest.fixture
def node(make_node):
    return make_node().start()
