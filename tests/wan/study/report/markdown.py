"""The report's parts as Markdown: the summary that is read in the repository."""


def _cell(text):
    text = text.replace("|", "\\|")
    return f"**{text[1:]}**" if text.startswith("!") else text


def _table(table):
    lines = ["| " + " | ".join(map(_cell, table.head)) + " |", "|" + "---|" * len(table.head)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join(lines)


def render(title, source, parts):
    """`source`: a sentence on where this comes from."""
    blocks = [f"# {title}", source]
    for part in parts:
        if not part.page_only:
            blocks += [f"## {part.title}", *part.text, *map(_table, part.tables)]
    return "\n\n".join(blocks) + "\n"
