"""Writes the API pages: one Markdown file per namespace, from the op records alone.

    python tools/make_docs.py docs/api

To change a text, change the record's docstring; a new namespace needs a title in `_TITLES`.
"""

import pathlib
import sys
import textwrap

import op_table

_TITLES = {
    "torch": "Functions: `rushlight.*`",
    "Tensor": "Methods that are no functions: `rushlight.Tensor.*`",
    "nn.functional": "`rushlight.nn.functional`",
    "linalg": "`rushlight.linalg`",
    "special": "`rushlight.special`",
    "fft": "`rushlight.fft`",
    "masked": "`rushlight.masked`",
    "signal.windows": "`rushlight.signal.windows`",
}


def signature(record):
    """``(self, dim: int | None = None, *, keepdim: bool = False) -> Tensor``."""
    parts, starred = [], False
    for argument in op_table.arguments(record):
        if argument.keyword_only and not starred:
            parts.append("*")
            starred = True
        default = "" if argument.default is None else f" = {argument.default}"
        parts.append(f"{argument.name}: {argument.annotation}{default}")
    return f"({', '.join(parts)}) -> {op_table.result(record)}"


def _body(text):
    """A docstring as Markdown: its examples fenced."""
    lines, fenced = [], False
    for line in textwrap.dedent("    " + (text or "").strip("\n")).splitlines():
        is_code = line.strip().startswith(">>>")
        if is_code and not fenced:
            lines += ["", "```python"]
            fenced = True
        elif fenced and not line.strip():
            lines.append("```")
            fenced = False
        lines.append(line.strip() if fenced else line.strip().replace("``", "`"))
    return "\n".join(lines + ["```"] * fenced).strip()


def _forms(record):
    """Where else the op is offered, in a line."""
    forms = []
    if "Tensor" in record.at:
        forms.append(f"method `Tensor.{record.public_name}`")
        if record.inplace:
            forms.append(f"in place `Tensor.{record.public_name}_`")
    if "out" in [argument.name for argument in op_table.arguments(record)]:
        forms.append("accepts `out=`")
    if record.differentiable_inputs:
        forms.append(
            "differentiable in " + ", ".join(f"`{n}`" for n in record.differentiable_inputs)
        )
    return "; ".join(forms)


def _entry(name, records):
    lines = [f"### {name}", ""]
    for record in records:
        lines += ["```python", f"{name}{signature(record)}", "```", "", _body(record.doc), ""]
        forms = _forms(record)
        lines += [f"*{forms[0].upper()}{forms[1:]}.*", ""] if forms else []
    return "\n".join(lines)


def pages():
    """{file name: text}."""
    sections = {}
    for (places, name), records in op_table.groups().items():
        shown = [p for p in places if p != "Tensor"] or ["Tensor"]
        for place in shown:
            if place in _TITLES and not name.startswith("_"):
                sections.setdefault(place, {}).setdefault(name, []).extend(records)
    head = "<!-- Written by tools/make_docs.py from the op records. -->"
    return {
        place.lower().replace(".", "_") + ".md": "\n".join(
            [head, f"# {_TITLES[place]}", ""] + [_entry(n, entries[n]) for n in sorted(entries)]
        )
        for place, entries in sections.items()
    }


def main(directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    written = pages()
    for name, text in written.items():
        (directory / name).write_text(text.rstrip() + "\n", encoding="utf-8")
    print(f"{len(written)} pages in {directory}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/api")
