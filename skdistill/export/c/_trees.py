"""The statements that walk trees.

Children are neighbours, so that a step is an addition, without a branch that would be
guessed wrong often; a leaf leads to itself. Several trees are walked at a time, as deep
as the deepest of them, for each step waits for what the last one read.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ..._typing import IndexArray
from .._reading._inputs import Inputs
from .._reading._table import Table
from .._reading._trees import Trees
from ._body import write_loop, write_reading, write_softmax, write_table
from ._source import CSource

#: Trees that are walked at a time, as many as there are registers for.
_AT_A_TIME = 8


class _Layout(NamedTuple):
    """Nodes in another order."""

    #: The positions of the nodes in `Trees`.
    order: IndexArray
    #: One a tree.
    roots: IndexArray
    depth: IndexArray
    #: The left node below each node, which the right one follows; a leaf has itself.
    below: IndexArray


def write_trees(source: CSource, inputs: Inputs, table: Table, trees: Trees) -> None:
    """Write trees, which know no splits of categories, on a table."""
    layout = _lay_out(trees)
    compared, slots = _write_compared(source, inputs, table, trees)
    leaves = _write_walk(source, trees, layout, compared, slots)
    scores = _write_sum(source, trees, layout, leaves)
    _write_ending(source, scores, trees)


def _lay_out(trees: Trees) -> _Layout:
    order: list[int] = []
    roots: list[int] = []
    depth: list[int] = []
    below: list[int] = []
    for root in trees.roots.tolist():
        roots.append(len(order))
        order.append(root)
        queue = deque([(root, 0)])
        while queue:
            node, level = queue.popleft()
            if trees.column[node] < 0:
                below.append(len(below))
                continue
            below.append(len(order))
            children = int(trees.left[node]), int(trees.right[node])
            order += children
            queue += [(child, level + 1) for child in children]
        depth.append(level)
    return _Layout(*map(np.array, (order, roots, depth, below)))


def _write_compared(
    source: CSource, inputs: Inputs, table: Table, trees: Trees
) -> tuple[str, IndexArray]:
    """Write what nodes compare; return its array, and the place of each node's.

    A missing value goes right, for no comparison with NaN is true; where it goes left,
    it is minus infinity. A leaf compares the last one, 0.
    """
    inner = trees.column >= 0
    pairs = np.column_stack([trees.missing_left, trees.column])
    used, places = np.unique(pairs[inner], axis=0, return_inverse=True)
    slots = np.full(len(pairs), len(used))
    slots[inner] = np.ravel(places)
    result, kind = source.make_name(), "float" if trees.single else "double"
    source.add("@kind @to[@n] = {0};", to=result, kind=kind, n=len(used) + 1)
    if len(used):
        source.add(
            """
for (int j = 0; j < @n; j++) {
    @to[j] = (@kind)@features[@columns[j]];
}
for (int j = @right; j < @n; j++) {
    if (isnan(@to[j])) {
        @to[j] = -INFINITY;
    }
}
""",
            to=result,
            kind=kind,
            n=len(used),
            right=int((used[:, 0] == 0).sum()),
            features=_write_features(source, inputs, table),
            columns=source.hold(used[:, 1]),
        )
    return result, slots


def _write_walk(
    source: CSource, trees: Trees, layout: _Layout, compared: str, slots: IndexArray
) -> str:
    """Write the walks; return the array of the leaves' numbers, tree by tree."""
    leaf = trees.column[layout.order] < 0
    threshold = trees.threshold
    if trees.single:
        threshold = trees.round_down(np.float32).astype(float)
    threshold = np.where(leaf, 1.0, threshold[layout.order])
    n_trees = len(layout.roots)
    names = {
        "leaves": source.make_name(),
        "n_trees": n_trees,
        "n_slots": slots.max(),
        "compared": compared,
        "compare": "<" if trees.strict else "<=",
        "below": source.hold(layout.below),
        "slots": source.hold(slots[layout.order]),
        "threshold": source.hold(threshold, single=trees.single),
        "number": source.hold(np.where(leaf, np.cumsum(leaf) - 1, 0)),
    }
    write = _write_many if n_trees >= _AT_A_TIME else _write_few
    write(source, layout, names)
    return str(names["leaves"])


def _write_few(source: CSource, layout: _Layout, names: dict[str, Any]) -> None:
    """Walk one tree after the other; there a branch that is guessed saves time."""
    source.add(
        """
int @leaves[@n_trees];
for (int i = 0; i < @n_trees; i++) {
    size_t k = @roots[i];
    while (@slots[k] < @n_slots) {
        k = @compared[@slots[k]] @compare @threshold[k] ? @below[k] : @right[k];
    }
    @leaves[i] = @number[k];
}
""",
        roots=source.hold(layout.roots),
        right=source.hold(layout.below + 1),
        **names,
    )


def _write_many(source: CSource, layout: _Layout, names: dict[str, Any]) -> None:
    """Walk those of about the same depth together."""
    together = np.argsort(layout.depth, kind="stable")
    # Those that fill up the last turn are not counted.
    spare = -len(together) % _AT_A_TIME
    start = np.arange(0, len(together), _AT_A_TIME)
    walkers = [(f"k{j}", f"[i + {j}]") for j in range(_AT_A_TIME)]
    lines = [
        "int @leaves[@n_trees + 1];",
        f"for (int i = 0; i < @n_trees; i += {_AT_A_TIME}) {{",
        *(f"    size_t {k} = @roots{place};" for k, place in walkers),
        f"    for (int depth = @depth[i / {_AT_A_TIME}]; depth > 0; depth--) {{",
        *(
            f"        {k} = @below[{k}]"
            f" + !(@compared[@slots[{k}]] @compare @threshold[{k}]);"
            for k, _ in walkers
        ),
        "    }",
        *(f"    @leaves[@trees{place}] = @number[{k}];" for k, place in walkers),
        "}",
    ]
    source.add(
        "\n".join(lines),
        trees=source.hold(np.r_[together, np.full(spare, len(together))]),
        roots=source.hold(np.r_[layout.roots[together], np.zeros(spare)].astype(int)),
        depth=source.hold(np.maximum.reduceat(layout.depth[together], start)),
        **names,
    )


def _write_sum(source: CSource, trees: Trees, layout: _Layout, leaves: str) -> str:
    """Write the scores; where a tree adds to one of several, its values are single."""
    scores, n_scores = source.make_name(), len(trees.start)
    leaf = trees.column[layout.order] < 0
    value = trees.value[layout.order]
    added = np.logical_or.reduceat(value != 0, layout.roots, axis=0)
    names: dict[str, Any] = {"scores": scores, "n_scores": n_scores, "leaves": leaves}
    if n_scores > 1 and (added.sum(axis=1) <= 1).all():
        add = "@scores[@target[i]] += @value[@leaves[i]];"
        names["target"] = source.hold(added.argmax(axis=1))
        names["value"] = source.hold(value[leaf].sum(axis=1))
    else:
        add = """for (int j = 0; j < @n_scores; j++) {
        @scores[j] += @value[@leaves[i] * @n_scores + j];
    }"""
        names["value"] = source.hold(value[leaf].astype(float))
    source.add(
        f"""
double @scores[@n_scores];
for (int j = 0; j < @n_scores; j++) {{
    @scores[j] = @start[j];
}}
for (int i = 0; i < @n_trees; i++) {{
    {add}
}}
""",
        start=source.hold(trees.start.astype(float)),
        n_trees=len(layout.roots),
        **names,
    )
    return scores


def _write_ending(source: CSource, scores: str, trees: Trees) -> None:
    n_scores = len(trees.start)
    if trees.ending == "none":
        write_loop(source, scores, n_scores, "@answers[j] = @to[j];")
    elif trees.ending == "sigmoid":
        source.add(
            """
@answers[1] = 1.0 / (1.0 + exp(-@to[0]));
@answers[0] = 1.0 - @answers[1];
""",
            to=scores,
        )
    else:
        write_softmax(source, scores, n_scores)


def _write_features(source: CSource, inputs: Inputs, table: Table) -> str:
    """Write each column on its own, for a missing value must not reach the others."""
    alone = table.find_multiples()
    others = [k for k in range(table.width) if k not in alone]
    result = source.make_name()
    source.add("double @to[@width] = {0};", to=result, width=max(1, table.width))
    if others:
        part = write_table(source, inputs, table.select(np.array(others)))
        source.add(
            "for (int i = 0; i < @n; i++) {\n    @to[@places[i]] = @part[i];\n}",
            to=result,
            n=len(others),
            places=source.hold(np.array(others)),
            part=part,
        )
    if alone:
        atoms, factors = zip(*alone.values(), strict=True)
        lines, names = write_reading(source, inputs, atoms)
        source.add(
            f"""
for (int i = 0; i < @n; i++) {{
{lines}    @to[@places[i]] = (x + @offsets[i]) * @factors[i];
}}
""",
            **names,
            to=result,
            n=len(alone),
            places=source.hold([*alone]),
            offsets=source.hold(table.constant[[*alone]] / factors),
            factors=source.hold(factors),
        )
    return result
