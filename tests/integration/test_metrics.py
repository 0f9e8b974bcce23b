"""What Prometheus and a node's health checks see of a daemon that pulls."""

import re
import urllib.request

import pytest

from harness.pacelined import Pacelined
from harness.processes import wait_until


def ask(daemon, path):
    with urllib.request.urlopen(f"http://{daemon.settings['metrics.address']}{path}", timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def samples(daemon):
    """name{labels} → value, as a scraper reads them."""
    kind, text = ask(daemon, "/metrics")
    assert kind == "text/plain; version=0.0.4"
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def total(found, family, label=""):
    return sum(value for name, value in found.items() if re.fullmatch(family + r"(\{.*\})?", name) and label in name)


@pytest.mark.sanitized
def test_a_pull_is_counted(node, push):
    pushed = push()
    before = samples(node.daemon)
    assert total(before, "paceline_image_pull_duration_seconds_count") == 0
    assert total(before, "process_start_time_seconds") > 0
    node.containerd.pull(pushed.reference)

    # The paths are published a tick later.
    found = wait_until(lambda: (seen := samples(node.daemon))
                       and total(seen, "paceline_path_bytes_total") >= pushed.image.layer_bytes and seen,
                       "the bytes of the pull in the metrics")
    count = "paceline_image_pull_duration_seconds_count"
    assert total(found, count) == 1
    assert total(found, count, 'source="mirror",result="ok",policy="adaptive",image_size_in_bytes="0-10MB"') == 1
    assert total(found, "paceline_image_pull_duration_seconds_bucket", 'le="+Inf"') == 1
    assert total(found, "paceline_store_bytes", 'state="listed"') >= pushed.image.layer_bytes
    assert total(found, "paceline_pulls") == 0
    assert pushed.image.name not in ask(node.daemon, "/metrics")[1], "an image's name is nobody's business"


@pytest.mark.one_version
def test_an_image_that_is_not_there_is_counted_as_failed(pacelined, registry):
    assert pacelined.cli("prefetch", f"{registry.host}/nothing:here", check=False).returncode != 0
    count = "paceline_image_pull_duration_seconds_count"
    assert total(samples(pacelined), count, 'source="prefetch",result="failed"') == 1
    assert total(samples(pacelined), count, 'image_size_in_bytes="N/A"') == 1


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
