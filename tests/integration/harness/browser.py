"""Debian's Chromium without a screen."""

import html.parser
import os
import tempfile

from .processes import run

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--log-level=3"]
# Of the page's own time, which stands still while an answer is awaited: it asks each second, and so a few times.
BUDGET_MS = 3000


def _chromium(*arguments):
    with tempfile.TemporaryDirectory() as profile:
        return run("chromium", *FLAGS, f"--user-data-dir={profile}", f"--virtual-time-budget={BUDGET_MS}", *arguments,
                   timeout=120, env={**os.environ, "HOME": profile}).stdout


class Dom(html.parser.HTMLParser):
    """A page's elements as Chromium has them after its scripts have run."""

    VOID = {"meta", "link", "br", "img", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.elements = []  # [name, attributes, text of it and all below]
        self._open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])
        if tag not in self.VOID:
            self._open.append(self.elements[-1])

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def having(self, attribute, value=None):
        """(attributes, text) of the elements with that attribute."""
        return [(attributes, text) for _, attributes, text in self.elements
                if attribute in attributes and value in (None, attributes[attribute])]

    def text_of(self, identifier):
        (_, text), = self.having("id", identifier)
        return text

    def count(self, tag):
        return sum(name == tag for name, _, _ in self.elements)


def dom_of(url):
    return Dom(_chromium("--dump-dom", url))


def screenshot(url, file, width=1180, height=960):
    _chromium(f"--screenshot={file}", f"--window-size={width},{height}", url)
