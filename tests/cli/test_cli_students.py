"""The students that the command names have the sizes that its page states."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor

from skdistill._cli._students import (
    CANDIDATES,
    STUDENTS,
    VALUE_CANDIDATES,
    VALUE_STUDENTS,
)
from skdistill._nested import last_step

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "command.md"
LIBRARIES = "lightgbm", "xgboost", "catboost"
#: They change no size; nor does `max_iter` of a network, which its rows decide.
OTHERS = {"n_jobs", "thread_count", "verbose", "loss"}
OTHERS |= {"early_stopping", "n_iter_no_change"}


def read_sizes():
    """The parameters that the page's two tables state, by the name of the student."""
    text = PAGE.read_text(encoding="utf-8").split("## Students")[1].split("\n## ")[0]
    tables = [{}, {}]
    for table, part in zip(tables, text.split("try six:"), strict=True):
        for names, sizes in re.findall(r"^\| (`.*?) \|(.*)\|$", part, re.M):
            pairs = re.findall(r"`(\w+)=(.*?)`", sizes)
            given = {name: ast.literal_eval(value) for name, value in pairs}
            table |= dict.fromkeys(re.findall(r"`([\w-]+)`", names), given)
    del tables[0]["--student"]
    return tables


SIZES, TRIED = read_sizes()
CASES = [
    pytest.param(maker, sizes[name], id=f"{kind}-{name}")
    for kind, makers, sizes in (
        ("classes", STUDENTS, SIZES),
        ("values", VALUE_STUDENTS, SIZES),
        ("classes-auto", CANDIDATES, TRIED),
        ("values-auto", VALUE_CANDIDATES, TRIED),
    )
    for name, maker in makers.items()
    if name != "mlp"
]


def test_the_page_names_every_student():
    assert {*SIZES, "mlp"} == {*STUDENTS, *VALUE_STUDENTS}
    assert {*TRIED} == {*CANDIDATES, *VALUE_CANDIDATES}


@pytest.mark.parametrize(("make", "sizes"), CASES)
def test_a_student_has_the_sizes_of_the_page(make, sizes, request):
    for library in LIBRARIES:
        if library in request.node.callspec.id:
            pytest.importorskip(library)
    model = last_step(make(np.zeros((300, 2))))
    assert is_classifier(model) == request.node.callspec.id.startswith("classes")
    if isinstance(model, TransformedTargetRegressor):
        model = model.regressor
    default, found = type(model)().get_params(), model.get_params()
    ignored = OTHERS | ({"max_iter"} if "hidden_layer_sizes" in sizes else set())
    changed = {
        name: value
        for name, value in found.items()
        # XGBoost has NaN among its defaults.
        if repr(value) != repr(default.get(name)) and name not in ignored
    }
    assert changed == sizes
