"""What a registry can get wrong, one fault at a time: a clear error, the daemon alive, and a good image right after."""

import re

import pytest

from harness import images
from harness.fault_registry import (FaultRegistry, claims_length, dies_beyond, endless, giant, html, ignores_ranges, longer,
                                    lying_ranges, on, on_layers, on_manifests, redirect_loop, redirects_to, shifted_ranges,
                                    shorter, slow, stalls, status, times, truncated, wants_a_token, wrong_bytes)
from harness.pacelined import Pacelined
from harness.registry import TokenServer

GIB = 1 << 30
SIZES = [1500 * images.KIB, 100 * images.KIB]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One daemon for all: each fault must leave it fit for the next."""
    daemon = Pacelined(tmp_path_factory.mktemp("bad-input"),
                       {"fetch.retries": 2, "fetch.stall_window": "1s", "fetch.stall_bytes_per_second": 1024})
    daemon.start()
    yield daemon
    daemon.close()


FAILS = {
    # name: (fault, what the error must say)
    "layer with other bytes": (on_layers(wrong_bytes()), r"digest|sha256"),
    "layer that goes on too long": (on_layers(longer(1000)), r"size|long|length|bytes"),
    "layer that is too short": (on_layers(shorter(1000)), r"size|short|length|bytes"),
    "layer without a byte": (on_layers(truncated(0)), r"closed|short|bytes|transfer"),
    "layer that never ends": (on_layers(endless()), r"size|long|length|bytes"),
    "layer upstream dies": (on_layers(dies_beyond(500_000)), r"closed|empty|bytes|transfer|connection"),
    "layer from lying ranges": (on_layers(lying_ranges()), r"digest|sha256"),
    "layer with an absurd length": (on_layers(claims_length(1 << 60)), r"size|length|bytes"),
    "layer that redirects in a circle": (on_layers(redirect_loop()), r"redirect"),
    "layer that is a web page": (on_layers(html()), r"size|length|bytes|digest"),
    "layer that is refused": (on_layers(status(403)), r"403|denied|PERMISSION"),
    "layer that is gone": (on_layers(status(404)), r"404|not found|NOT_FOUND"),
    "layer with a server error": (on_layers(status(500)), r"500"),
    "config with other bytes": (on("config", wrong_bytes()), r"digest|sha256"),
    "manifest of one gigabyte": (on_manifests(giant(GIB)), r"large|limit|than|MiB|bytes"),
    "manifest without an end": (on("manifest", endless()), r"large|limit|than|MiB|bytes"),
    "manifest with an absurd length": (on_manifests(claims_length(1 << 60)), r"large|limit|than|MiB|bytes"),
    "manifest that is a web page": (on_manifests(html()), r"JSON|HTML|text/html|manifest"),
    "manifest that redirects in a circle": (on_manifests(redirect_loop()), r"redirect"),
    "manifest that is missing": (on_manifests(status(404)), r"404|not found|NOT_FOUND"),
    "manifest that is refused": (on_manifests(status(401)), r"authentication|credential"),
}

RECOVERS = {
    "ranges ignored": on_layers(ignores_ranges()),
    "ranges that overlap": on_layers(shifted_ranges(1000)),
    "cut off again and again": on_layers(truncated(200_000)),
    "one cut-off": on_layers(times(1, truncated(1000))),
    "a busy registry": on_layers(times(2, status(429, Retry_After="1"))),
    "a registry out of service": on_layers(times(2, status(503))),
    "a stall": on_layers(times(1, stalls(100_000))),
    "a slow registry": on_layers(slow(2_000_000)),
}


def prove_fit(daemon, push):
    pushed = push()
    daemon.cli("prefetch", pushed.reference)
    pushed.assert_fetched_once_by_the_daemon(whole=False)


@pytest.mark.sanitized
@pytest.mark.parametrize("name", FAILS)
def test_fails_clearly(daemon, closing, push, name):
    fault, expected = FAILS[name]
    image = images.make_image(f"bad {name}", sizes=SIZES)
    upstream = closing(FaultRegistry(image, fault))
    done = daemon.cli("prefetch", upstream.reference, check=False, timeout=60)
    assert done.returncode in (1, 4), f"{done.returncode}\n{done.stdout}{done.stderr}"
    said = done.stdout + done.stderr
    assert re.search(expected, said, re.IGNORECASE), said
    assert upstream.host in said or "sha256:" in said, f"the error does not name the thing: {said}"
    assert len(said) < 4000
    assert daemon.alive
    prove_fit(daemon, push)


@pytest.mark.sanitized
@pytest.mark.parametrize("name", RECOVERS)
def test_recovers(daemon, closing, name):
    image = images.make_image(f"recovers {name}", sizes=SIZES)
    upstream = closing(FaultRegistry(image, RECOVERS[name]))
    daemon.cli("prefetch", upstream.reference, timeout=60)
    assert {blob["digest"] for blob in daemon.cli_json("blobs")} >= set(image.layer_digests)


def test_every_range_is_closed(daemon, closing):
    """`bytes=a-` would go on sending after the daemon has what it wanted."""
    image = images.make_image("closed ranges", sizes=SIZES)
    upstream = closing(FaultRegistry(image))
    daemon.cli("prefetch", upstream.reference)
    for seen in upstream.layer_requests()[0]:
        assert seen.range is None or re.fullmatch(r"bytes=\d+-\d+", seen.range), seen


def test_a_token_that_expires_in_mid_fetch_is_renewed(daemon, closing, tmp_path):
    """Each does for 5.5 s (one refused within 5 s would count as worthless), and the layers take longer."""
    tokens = closing(TokenServer(tmp_path / "tokens", {}))
    image = images.make_image("short-lived tokens", sizes=[300 * images.KIB] * 40)
    upstream = closing(FaultRegistry(image, wants_a_token(tokens, 5.5, 100_000)))
    daemon.cli("prefetch", upstream.reference, timeout=60)
    assert len(tokens.issued) >= 2
    assert {blob["digest"] for blob in daemon.cli_json("blobs")} >= set(image.layer_digests)


def test_a_blob_host_gets_no_credentials(daemon, closing):
    """Redirected to another host, Authorization stays behind; the signed URL's query stays out of the log."""
    image = images.make_image("redirected", sizes=SIZES)
    blob_host = closing(FaultRegistry(image))
    registry = closing(FaultRegistry(image, on("layer", redirects_to(blob_host.host))))
    daemon.credentials(auths={registry.host: {"username": "alice", "password": "wonder-0451"}})
    try:
        daemon.cli("prefetch", registry.reference)
    finally:
        daemon.docker_config.unlink()
    assert blob_host.layer_requests()[0], "nothing came to the blob host"
    assert not [seen for seen in blob_host.seen if seen.authorization]
    assert "signature=secret" not in daemon.log() and "wonder-0451" not in daemon.log()


def test_an_image_for_another_platform(daemon, closing):
    """An index that has nothing for this machine."""
    good = images.make_image("elsewhere", index=True, sizes=[1000])
    index = good.manifests[-1][1].replace(b'"architecture":"amd64"', b'"architecture":"riscv64"')
    good.manifests[-1] = (good.media_type, index)
    upstream = closing(FaultRegistry(good))
    done = daemon.cli("prefetch", upstream.reference, check=False)
    assert done.returncode in (1, 4)
    assert re.search(r"platform|linux/amd64", done.stdout + done.stderr), done.stderr
    assert not upstream.layer_requests()[0]


def test_unknown_media_types(daemon, closing):
    """A manifest that is no image is refused; layers of unknown types are only bytes, and are fetched."""
    image = images.make_image("artifact", sizes=[1000])
    image.manifests = [("application/vnd.example.recipe.v1+json", b'{"schemaVersion":7,"recipe":"cake"}')]
    upstream = closing(FaultRegistry(image))
    done = daemon.cli("prefetch", upstream.reference, check=False)
    assert done.returncode == 1
    assert "application/vnd.example.recipe.v1+json" in done.stdout + done.stderr, done.stderr

    strange = images.make_image("strange", sizes=[1000], kind=images.OCI | {"layer": "application/vnd.example.layer+xz"})
    upstream = closing(FaultRegistry(strange))
    daemon.cli("prefetch", upstream.reference)


@pytest.mark.parametrize("reference", ["", "library/UPPER", "a b", "host:port:tag/x", "redis:" + "x" * 200, "x@sha256:123", "../etc",
                                       "redis@md5:" + "0" * 32, "\x1b[31mred", "a" * 5000])
def test_invalid_references(daemon, reference):
    done = daemon.cli("prefetch", reference, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip() and "\x1b" not in done.stderr and len(done.stderr) < 2000
    assert daemon.alive
