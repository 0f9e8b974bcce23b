"""What packaging/prometheus has, judged by promtool and by a Prometheus that scrapes a daemon under load."""

import re

import pytest

from harness import images
from harness.fault_registry import FaultRegistry, on_layers, status, times
from harness.processes import run, wait_until
from harness.prometheus import PACKAGING, Prometheus, alert_names, dashboard_queries, recorded_names

pytestmark = pytest.mark.one_version


def test_promtool_checks_the_files():
    run("promtool", "check", "rules", "--lint-fatal", PACKAGING / "paceline.rules.yml")
    run("promtool", "check", "config", PACKAGING / "prometheus.yml")


def test_the_rules_do_what_they_say():
    said = run("promtool", "test", "rules", PACKAGING / "paceline.rules.test.yml").stdout
    assert "SUCCESS" in said
    tested = (PACKAGING / "paceline.rules.test.yml").read_text()
    assert not [name for name in alert_names() if f"alertname: {name}" not in tested]


def test_the_dashboard_leaves_the_arithmetic_to_the_rules():
    """Each query is one recorded series or one family, so that no expression stands in two places."""
    plain = re.compile(r'[a-z_]+(:[a-z_]+:[a-z0-9_]+)?(\{[a-z_]+[=!]~?"[^"]*"(,[a-z_]+[=!]~?"[^"]*")*\})?')
    for title, queries in dashboard_queries().items():
        for query in queries:
            assert plain.fullmatch(query), f"{title}: {query}"


@pytest.fixture
def prometheus(tmp_path, node, closing):
    return closing(Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{node.daemon.metrics_port}"]))


def test_every_query_has_data_under_load(node, push, closing, prometheus):
    wait_until(lambda: list(prometheus.targets().values()) == ["up"], "the first scrape")
    limping = FaultRegistry(images.make_image("limping"), on_layers(times(2, status(500))))
    node.daemon.cli("prefetch", closing(limping).reference)
    wanted = recorded_names() + [query for queries in dashboard_queries().values() for query in queries]
    # Rates need counters that grow between scrapes: pulls go on until there is something to see of each.
    missing = wanted
    for _ in range(20):
        pushed = push(sizes=[images.MIB])
        node.containerd.pull(pushed.reference)
        node.containerd.run_image(pushed.reference)
        scraped = prometheus.wait_for("timestamp(paceline_build_info)")[0][1]
        wait_until(lambda: prometheus.wait_for("timestamp(paceline_build_info)")[0][1] > scraped, "a scrape")
        missing = [query for query in missing if not prometheus.query(query)]
        if not missing:
            break
    assert not missing
    rules = prometheus.rules()
    assert rules.keys() == set(recorded_names() + alert_names())
    # A rule that has not run yet is "unknown": the groups start at different moments.
    wait_until(lambda: set(prometheus.rules().values()) == {"ok"}, f"all rules to be well: {rules}")
    firing = {labels["alertname"] for labels, _ in prometheus.query('ALERTS{alertstate="firing"}')}
    assert not firing
    assert prometheus.value("sum(paceline_image_pull_duration_seconds_count)") \
        == prometheus.value('sum(paceline_image_pull_duration_seconds_count{result="ok"})')
