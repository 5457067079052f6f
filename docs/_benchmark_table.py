"""The directive `benchmark-table`: a table that a benchmark prints from its results.

    ```{benchmark-table} benchmarks.quality.regression
    :title: Share of the advantage
    :columns: 1 2 4
    ```

The table is the first one printed by `python -m <module> --report` below a line that
starts with `title`; `skip` leaves out that many before. `columns` counts from 1.
"""

import contextlib
import functools
import io
import runpy
import sys

from docutils import nodes
from docutils.parsers.rst import Directive, directives


@functools.cache
def print_report(module):
    """Return the lines that the benchmark prints from its results, running nothing."""
    printed, argv = io.StringIO(), sys.argv
    sys.argv = [module, "--report"]
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.argv = argv
    return printed.getvalue().splitlines()


def read_cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def find_table(module, title, skip=0):
    """Return header and rows of the table below a line."""
    lines = print_report(module)
    starts = [k for k, line in enumerate(lines) if line.startswith(title)]
    for start in starts[skip:]:
        first = next(k for k in range(start, len(lines)) if lines[k].startswith("|"))
        end = first
        while end < len(lines) and lines[end].startswith("|"):
            end += 1
        header, _, *rows = (read_cells(line) for line in lines[first:end])
        return header, rows
    raise ValueError(f"{module} --report prints no table {title!r}")


class BenchmarkTable(Directive):
    """A table of a benchmark's report."""

    required_arguments = 1
    option_spec = {
        "title": directives.unchanged_required,
        "columns": directives.positive_int_list,
        "skip": directives.nonnegative_int,
    }

    def run(self):
        """Return the table and the command that prints it."""
        module = self.arguments[0]
        header, rows = find_table(
            module, self.options["title"], self.options.get("skip", 0)
        )
        chosen = self.options.get("columns") or range(1, len(header) + 1)
        table = nodes.table(classes=["benchmark"])
        group = nodes.tgroup(cols=len(chosen))
        table += group
        group += [nodes.colspec(colwidth=1) for _ in chosen]
        head, body = nodes.thead(), nodes.tbody()
        for part, lines in ((head, [header]), (body, rows)):
            for line in lines:
                row = nodes.row()
                for k in chosen:
                    row += nodes.entry("", nodes.paragraph(text=line[k - 1]))
                part += row
        group += [head, body]
        source = nodes.paragraph(classes=["benchmark-source"])
        source += nodes.literal(text=f"python -m {module} --report")
        return [table, source]


def setup(app):
    """Register with Sphinx."""
    app.add_directive("benchmark-table", BenchmarkTable)
    return {"parallel_read_safe": True}
