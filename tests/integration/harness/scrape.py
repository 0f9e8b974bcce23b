"""A daemon's metrics, read as Prometheus reads them."""

import re
import urllib.request

SAMPLE = re.compile(r"^([a-z_:]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def ask(daemon, path):
    """(Content-Type, text) of a page of the metrics port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{daemon.metrics_port}{path}", timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


class Scrape:
    """One look at a daemon."""

    def __init__(self, daemon):
        kind, self.text = ask(daemon, "/metrics")
        assert kind == "text/plain; version=0.0.4"
        self.samples = []  # (name, labels, value)
        for line in self.text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def series(self, family, **labels):
        return [(found, value) for name, found, value in self.samples
                if name == family and labels.items() <= found.items()]

    def total(self, family, **labels):
        """The sum over all series of the family that have these labels; 0 when there is none."""
        return sum(value for _, value in self.series(family, **labels))

    def families(self):
        return set(re.findall(r"^# TYPE (\S+) ", self.text, re.MULTILINE))
