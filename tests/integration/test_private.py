"""Private registries, Basic and Bearer: through the mirror with the caller's rights, in a prefetch with the daemon's."""

import base64
import os
import stat

import pytest

from harness import images
from harness.cri import ImageService
from harness.pacelined import Pacelined
from harness.registry import Registry, TokenServer, basic, basic_auth

USER, PASSWORD = "alice", "wonder-0451"
REPOSITORY = "team/app"


class Private:
    def __init__(self, directory, scheme, closing):
        self.tokens = None
        authorization = basic(USER, PASSWORD)
        if scheme == "basic":
            auth = basic_auth(directory / "auth", USER, PASSWORD)
        else:
            self.tokens = closing(TokenServer(directory / "tokens", {USER: PASSWORD}))
            auth = self.tokens.auth
            authorization = "Bearer " + self.tokens.token(USER, [f"repository:{REPOSITORY}:pull,push"])
        self.registry = closing(Registry(directory / "private", auth))
        self.image = images.make_image(f"private-{scheme}")
        self.reference = self.registry.push(self.image, REPOSITORY, authorization=authorization)

    def assert_fetched_by_the_daemon_alone(self):
        ours, others = self.registry.layer_requests(self.image, REPOSITORY)
        assert ours and not [r for r in others if r.status != 401], others


@pytest.fixture(params=["basic", "bearer"])
def private(request, tmp_path, closing):
    return Private(tmp_path, request.param, closing)


def assert_no_secret_in(text):
    for secret in (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(), "eyJ"):
        assert secret not in text, f"{secret!r} was logged"


@pytest.mark.sanitized
def test_ctr_with_a_user(node, private):
    node.containerd.pull(private.reference, user=f"{USER}:{PASSWORD}")
    private.assert_fetched_by_the_daemon_alone()
    assert node.containerd.run_image(private.reference) == private.image.output
    assert_no_secret_in(node.daemon.log())


def test_cri_with_credentials(make_node, closing, private):
    node = make_node(cri=True).start()
    service = closing(ImageService(node.containerd.address))
    service.pull(private.reference, USER, PASSWORD)
    private.assert_fetched_by_the_daemon_alone()
    assert node.containerd.run_image(private.reference, namespace="k8s.io") == private.image.output


def test_the_daemons_credentials_are_not_for_callers(node, private):
    """config.json is for prefetches: a caller without credentials must be refused as without the daemon."""
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    node.daemon.credentials(auths={private.registry.host: {"auth": auth}})
    assert node.containerd.pull(private.reference, check=False, timeout=90).returncode != 0
    assert node.containerd.pull(private.reference, user=f"{USER}:wrong", check=False, timeout=90).returncode != 0
    ours, others = private.registry.layer_requests(private.image, REPOSITORY)
    assert not [r for r in ours + others if r.status in (200, 206)]


@pytest.mark.sanitized
@pytest.mark.parametrize("source", ["config.json", "credential helper", "credential store"])
def test_prefetch(tmp_path, closing, private, source):
    daemon = closing(Pacelined(tmp_path / "pacelined"))
    if source == "config.json":
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        daemon.credentials(auths={private.registry.host: {"auth": auth}})
    else:
        helper = tmp_path / "bin" / "docker-credential-paceline-test"
        helper.parent.mkdir()
        helper.write_text("#!/bin/sh\n[ \"$1\" = get ] && server=$(cat) && "
                          f"echo \"{{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"{USER}\\\",\\\"Secret\\\":\\\"{PASSWORD}\\\"}}\"\n")
        helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
        daemon.env["PATH"] = f"{helper.parent}:{os.environ['PATH']}"
        if source == "credential helper":
            daemon.credentials(credHelpers={private.registry.host: "paceline-test"})
        else:
            daemon.credentials(credsStore="paceline-test")
    daemon.start()
    daemon.cli("prefetch", private.reference)
    private.assert_fetched_by_the_daemon_alone()
    assert_no_secret_in(daemon.log())


def test_prefetch_without_credentials_says_so(tmp_path, closing, private):
    daemon = closing(Pacelined(tmp_path / "pacelined")).start()
    done = daemon.cli("prefetch", private.reference, check=False)
    assert done.returncode == 1
    assert "401" in done.stderr + done.stdout or "credential" in (done.stderr + done.stdout).lower()
    assert daemon.alive


def test_one_token_does_for_a_whole_prefetch(tmp_path, closing):
    private = Private(tmp_path, "bearer", closing)
    daemon = closing(Pacelined(tmp_path / "pacelined"))
    daemon.credentials(auths={private.registry.host: {"username": USER, "password": PASSWORD}})
    daemon.start()
    before = len(private.tokens.issued)
    daemon.cli("prefetch", private.reference)
    assert len(private.tokens.issued) - before == 1
