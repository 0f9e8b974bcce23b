"""Debian's Prometheus with the packaged rules, scraping daemons each second."""

import json
import math
import re
import urllib.parse

from .processes import Process, free_port, run, wait_until
from .versions import ROOT

PACKAGING = ROOT / "packaging" / "prometheus"


def dashboard_queries():
    """{panel's title: its queries}, each with the variables of the dashboard at "All"."""
    dashboard = json.loads((PACKAGING / "dashboard.json").read_text())
    return {panel["title"]: [target["expr"].replace("$instance", ".*") for target in panel["targets"]]
            for panel in dashboard["panels"] if "targets" in panel}


def recorded_names():
    return re.findall(r"- record: (\S+)", (PACKAGING / "paceline.rules.yml").read_text())


def alert_names():
    return re.findall(r"- alert: (\S+)", (PACKAGING / "paceline.rules.yml").read_text())


class Prometheus:
    """`targets`: host:port each. `enter`: the command that runs it elsewhere, which has to exec it."""

    def __init__(self, directory, targets, enter=(), address="127.0.0.1"):
        directory.mkdir(parents=True)
        self.enter = list(enter)
        self.url = f"http://{address}:{free_port()}"
        config = directory / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{PACKAGING / 'paceline.rules.yml'}']\n"
            "scrape_configs:\n"
            f"  - {{job_name: paceline, static_configs: [{{targets: {json.dumps(list(targets))}}}]}}\n")
        self.process = Process([*self.enter, "prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
                                f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"],
                               directory / "prometheus.log")
        self.process.wait_until(self._ready, "Prometheus to be ready", 60)

    def close(self):
        self.process.stop()

    def _fetch(self, path, check=True):
        return run(*self.enter, "curl", "--disable", "-sS", "--fail-with-body", "--max-time", "10", self.url + path, check=check).stdout

    def _ready(self):
        return "Ready" in self._fetch("/-/ready", check=False)

    def query(self, expression):
        """[(labels, value)] now; what is not a number is left out."""
        answer = json.loads(self._fetch("/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        found = [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]
        return [(labels, value) for labels, value in found if not math.isnan(value)]

    def value(self, expression):
        """Of the one series that there is."""
        (_, value), = self.query(expression)
        return value

    def wait_for(self, expression, seconds=60):
        return wait_until(lambda: self.query(expression), f"{expression} in Prometheus", seconds)

    def rules(self):
        """{name: health} of all rules."""
        answer = json.loads(self._fetch("/api/v1/rules"))
        return {rule["name"]: rule["health"] for group in answer["data"]["groups"] for rule in group["rules"]}

    def targets(self):
        answer = json.loads(self._fetch("/api/v1/targets"))
        return {target["labels"]["instance"]: target["health"] for target in answer["data"]["activeTargets"]}
