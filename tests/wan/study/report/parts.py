"""What a report is made of: headings, sentences and tables that page.py and markdown.py write each in its own way."""

import dataclasses


@dataclasses.dataclass
class Table:
    head: list
    rows: list  # of lists of text; a text that begins with "!" is marked as a miss


@dataclasses.dataclass
class Part:
    title: str
    text: list = dataclasses.field(default_factory=list)
    tables: list = dataclasses.field(default_factory=list)
    figures: str = ""       # which of the page's figures belong here
    page_only: bool = False  # too long for the summary
    folded: bool = False
