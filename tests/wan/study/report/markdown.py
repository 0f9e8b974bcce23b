"""The report's parts as Markdown: the summary that is read in the repository."""


def _cell(text):
    text = text.replace("|", "\\|")
    return f"**{text[1:]}**" if text.startswith("!") else text


def _table(table):
    lines = ["| " + " | ".join(map(_cell, table.head)) + " |", "|" + "---|" * len(table.head)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join(lines)


def render(parts):
    blocks = ["# Pulls on an emulated WAN", "Written by `tests/wan/study/run.sh report` from [concurrency.csv](concurrency.csv); plots, "
              "spreads and wire limits are in [concurrency.html](concurrency.html)."]
    for part in parts:
        if not part.page_only:
            blocks += [f"## {part.title}", *part.text, *map(_table, part.tables)]
    return "\n\n".join(blocks) + "\n"
