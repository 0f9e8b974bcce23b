"""The status page in a real browser: during a slow pull, after it, for strangers, and fed with hostile names."""

import http.server
import json
import threading

import pytest

from harness import images
from harness.browser import dom_of
from harness.processes import run, wait_until
from harness.slow_link import SlowLink

pytestmark = pytest.mark.one_version


def page(daemon, path=""):
    return f"http://127.0.0.1:{daemon.metrics_port}/{path}"


def state(daemon):
    return json.loads(run("curl", "-sf", page(daemon, "status.json")).stdout)


def test_a_pull_is_seen_under_way_and_afterwards(node, push, registry, closing):
    link = closing(SlowLink(registry.host, 256 * images.KIB))
    pushed = push(sizes=[8 * images.MIB, 4 * images.MIB], host=link.host)
    log = node.daemon.directory / "pull.log"
    pull = closing(node.containerd.pull_in_background(pushed.reference, log))
    wait_until(lambda: [one for one in state(node.daemon)["pulls"] if one["received_bytes"] > 0 and one["streams"]], "a pull with bytes")

    during = dom_of(page(node.daemon))
    (attributes, text), = during.having("data-pull")
    assert pushed.reference in text and "fetching" in text and "adaptive" in text
    assert int(attributes["data-streams"]) > 0
    layers = during.having("data-layer")
    assert len(layers) == len(pushed.image.blobs)
    assert {layer["data-layer"] for layer, _ in layers} \
        == {digest.removeprefix("sha256:")[:12] for digest in pushed.image.blobs}
    assert any("stream" in text for _, text in layers)
    assert [text for _, text in during.having("data-path", link.host)]
    assert during.text_of("alive") == "live"

    link.full_speed()
    assert pull.child.wait(120) == 0
    node.containerd.run_image(pushed.reference)
    wait_until(lambda: [start for start in state(node.daemon)["starts"] if start["cold_start_ms"]], "the cold start")
    after = dom_of(page(node.daemon))
    assert after.having("data-pull") == []
    (_, text), = after.having("data-start")
    assert pushed.reference in text and "adaptive" in text
    phases = [attributes["data-phase"] for attributes, _ in after.having("data-phase")]
    assert {"fetch", "containerd", "start"} <= set(phases)
    widths = [attributes["style"] for attributes, _ in after.having("data-phase")]
    assert all("left:" in style and "width:" in style for style in widths)


def test_it_remembers_over_a_restart(pacelined, push):
    pushed = push()
    pacelined.cli("prefetch", pushed.reference)
    wait_until(lambda: state(pacelined)["starts"], "the record")
    pacelined.stop()
    pacelined.start()
    assert state(pacelined)["starts"][0]["image"] == pushed.reference


def test_strangers_do_not_see_it(pacelined):
    nobody = ["setpriv", "--reuid=65534", "--clear-groups", "--no-new-privs", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
    for path, answer in {"": "403", "status.json": "403", "metrics": "200", "healthz": "200"}.items():
        assert run(*nobody, page(pacelined, path)).stdout == answer, path
    assert run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: elsewhere.example",
               page(pacelined, "status.json")).stdout == "400"
    pacelined.stop()
    pacelined.settings["metrics.status_uids"] = [65534]
    pacelined.start()
    assert run(*nobody, page(pacelined)).stdout == "200"


MARKUP = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>&amp;"


def hostile(value):
    """The same state with markup in every string."""
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return value + MARKUP if isinstance(value, str) else value


def test_names_are_text(pacelined, registry, push, closing):
    """The daemon's own page, fed with a state in which every string tries to be markup."""
    link = closing(SlowLink(registry.host, 64 * images.KIB))
    pacelined.cli("prefetch", push().reference)
    pacelined.cli("prefetch", "--no-wait", push(sizes=[4 * images.MIB], host=link.host).reference)
    pacelined.cli("prefetch", f"{registry.host}/nothing:here", check=False)
    wait_until(lambda: any(pull["blobs"] for pull in state(pacelined)["pulls"]) and state(pacelined)["starts"], "all kinds of things")
    fed = json.dumps(hostile(state(pacelined))).encode()
    source = run("curl", "-sf", page(pacelined)).stdout.encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            body = source if self.path == "/" else fed
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8" if self.path == "/" else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        dom = dom_of(f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()
    assert dom.text_of("alive") == "live"
    assert dom.count("img") == 0 and dom.count("script") == 1
    title, = [text for name, _, text in dom.elements if name == "title"]
    assert title == "Paceline"
    for attribute in ("data-pull", "data-layer", "data-path", "data-start"):
        found = dom.having(attribute)
        assert found and all(MARKUP in text for _, text in found), attribute
