"""Tables in C: the type of whole numbers is the smallest that holds all of them."""

import pytest

from skdistill.export.c._source import CSource


@pytest.mark.parametrize(
    ("largest", "kind"),
    [
        (127, "signed char"),
        (128, "short"),
        (32_767, "short"),
        (32_768, "int"),
        (2**31 - 1, "int"),
    ],
)
def test_the_type_holds_both_signs(largest, kind):
    for values in ([0, largest], [-largest, 1]):
        source = CSource("proba")
        name = source.hold(values)
        assert source.tables[0].startswith(f"static const {kind} {name}[2] = {{")
