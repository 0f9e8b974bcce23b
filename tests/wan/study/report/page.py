"""The report's parts as one self-contained HTML page."""

import html
import re

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } p, li { max-width: 52rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { border-bottom: 1px solid #d8dee4; padding: .2rem .55rem; text-align: left; white-space: nowrap; }
th { background: #f3f5f7; position: sticky; top: 0; } td.miss { background: #fde7e3; font-weight: 600; }
summary { cursor: pointer; color: #0b57a4; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
code { background: #f3f5f7; padding: 0 .2rem; }
"""


def _inline(text):
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _text(block):
    if block.startswith("- "):
        return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in re.split(r"(?:^|\n)- ", block) if item) + "</ul>"
    return f"<p>{_inline(block)}</p>"


def _data(text):
    return f'<td class="miss">{html.escape(text[1:])}</td>' if text.startswith("!") else f"<td>{html.escape(text)}</td>"


def _table(table):
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.head)
    body = "".join("<tr>" + "".join(map(_data, row)) + "</tr>\n" for row in table.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


def _part(part, figures):
    inside = "\n".join(map(_table, part.tables))
    if part.folded and inside:
        rows = sum(len(table.rows) for table in part.tables)
        inside = f"<details><summary>{rows} rows</summary>{inside}</details>"
    drawn = "".join(f"<figure>{svg}</figure>" for svg in figures.get(part.figures, ()))
    return f"<h2>{html.escape(part.title)}</h2>\n" + "\n".join(map(_text, part.text)) + drawn + inside


def render(title, parts, figures):
    """`figures`: a part's `figures` → [SVG]."""
    body = "\n".join(_part(part, figures) for part in parts)
    title = html.escape(title)
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{body}\n</body></html>\n")
