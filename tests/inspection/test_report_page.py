"""The report as text, tables, JSON and a page."""

import base64
import json
import pickle
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from _reports import CODES, X_TRAIN, Y_TEST, distil, make_hits, report_on, stage

from skdistill.inspection import DistillationReport, FidelityDisplay

pytest.importorskip("pandas")


# --- shown ---------------------------------------------------------------------


def test_text_fits_80_columns_and_tables_100():
    long = [f"a class with a rather long name, number {k}" * 2 for k in range(3)]
    labels = np.array(long)[CODES]
    groups = np.array(["x" * 200, "y"])[CODES[200:] % 2]
    given = {"baseline": "fit", "train": (X_TRAIN, labels[:200])}
    found = report_on(distil(y=labels[:200]), y=labels[200:], groups=groups, **given)
    found.descriptions = dict.fromkeys(found.descriptions, "A" * 90)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 100
    # Columns of tables are two spaces apart.
    assert max(len(line) for line in lines if "  " not in line.strip()) <= 80
    assert "calibration error, ECE (less)" in str(found)
    assert "xxx..." in str(found)


ODD = ["$\\frac{a$", "$\\bad$", "tab\tline\nend\0", "half \ud800 a pair", "$5"]


def test_labels_and_groups_of_any_text(tmp_path):
    pytest.importorskip("matplotlib")
    y = np.resize(np.array(ODD, dtype=object), 500)
    found = report_on(distil(y=y[:200]), y=y[200:], groups=y[200:][::-1])
    found.to_html(tmp_path / "report.html")
    shown = (tmp_path / "report.html").read_text(encoding="utf-8")
    written = [x.encode("unicode_escape").decode() for x in ODD[2:4]]
    for text in (str(found), found._repr_html_(), shown):
        for name in (*ODD[:2], *written, *ODD[4:]):
            assert name in text
        assert all(char.isprintable() or char == "\n" for char in text)
    for part in json.loads(found.to_json())["by_group"]:
        assert part["name"] in ODD


@pytest.mark.parametrize("length", range(16, 28))
def test_tables_with_names_of_any_length_fit_100_columns(report, length):
    """At some lengths the space between its columns alone makes a table too wide."""
    names = dict.fromkeys(report.descriptions, "A" * length)
    lines = str(replace(report, descriptions=names)).splitlines()
    assert 80 < max(map(len, lines)) <= 100


def test_label_in_a_picture_is_no_mathematics():
    pytest.importorskip("matplotlib").use("Agg")
    display = FidelityDisplay.from_predictions(
        [[0.4, 0.6]], [[0.3, 0.7]], classes=["a", "$x$"]
    )
    display.figure_.draw_without_rendering()
    label = display.ax_.xaxis.label
    assert label.get_text() == r"teacher's probability of class \$x\$"


def test_a_report_of_no_rows_is_refused(distilled):
    with pytest.raises(ValueError, match=r"at least one row; got 0\. Pass rows"):
        report_on(distilled, X=X_TRAIN[:0], y=Y_TEST[:0])


def test_text_shows_the_figures(report):
    text = str(report)
    for name in report.models:
        figures = report.models[name]
        assert f"{figures['log_loss']:.4f}" in text
        assert f"{figures['bytes']:,d}" in text
    assert repr(report).startswith("<DistillationReport of 300 rows, teacher, baseline")


def test_dict_and_json(report):
    figures = report.to_dict()
    assert set(figures) > {"models", "share_recovered", "by_class", "warnings"}
    assert not any(name.startswith("_") for name in figures)

    def list_types(value):
        if isinstance(value, dict):
            return set().union(*map(list_types, value.values()), set())
        if isinstance(value, list):
            return set().union(*map(list_types, value), set())
        return {type(value)}

    assert list_types(figures) <= {float, int, str, bool, type(None)}
    assert json.loads(report.to_json())["models"] == figures["models"]


def test_json_has_no_nan(distilled):
    y = np.full(300, "low")
    loaded = json.loads(report_on(distilled, y=y).to_json())
    assert loaded["models"]["student"]["roc_auc"] is None


def test_frames(report):
    frame = report.to_frame()
    assert list(frame.index) == ["teacher", "baseline", "student"]
    assert frame.loc["student", "accuracy"] == report.models["student"]["accuracy"]
    parts = report.to_frame(by="class")
    assert parts.index.names == ["class", "model"]
    assert parts.loc[("mid", "teacher"), "n_rows"] == (Y_TEST == "mid").sum()
    with pytest.raises(ValueError, match="by must be"):
        report.to_frame(by="row")


def test_frame_by_group_needs_groups(distilled):
    with pytest.raises(ValueError, match="Pass groups="):
        report_on(distilled).to_frame(by="group")


def test_without_pandas(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas, or use to_dict\(\)"):
        report.to_frame()


def test_a_report_can_be_kept(report):
    assert str(pickle.loads(pickle.dumps(report))) == str(report)
    assert isinstance(report, DistillationReport)


class Reader(HTMLParser):
    """What of a page would be fetched, and whether every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.cells, self.alts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href"):
                self.sources.append(value)
            if name == "alt":
                self.alts.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells.append(data)


def read_html(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return reader


def test_notebooks_get_tables(report):
    reader = read_html(report._repr_html_())
    assert not reader.sources
    assert "a<b>" in reader.cells
    assert f"{report.models['student']['accuracy']:.4f}" in reader.cells


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    pytest.importorskip("matplotlib")
    path = tmp_path_factory.mktemp("page") / "report.html"
    report.to_html(path)
    return path


def test_page_is_self_contained(page):
    text = page.read_text(encoding="utf-8")
    reader = read_html(text)
    assert len(reader.sources) == len(reader.alts) == 4
    for source in reader.sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/svg+xml;base64"
        drawing = base64.b64decode(data).decode()
        # Nothing but fragments of its own is referred to.
        found = re.findall(r'(?:href|src)="([^"]*)"', drawing)
        assert all(reference.startswith("#") for reference in found)
    assert "@media (prefers-color-scheme: dark)" in text
    assert "a<b>" in reader.cells
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


def test_page_is_the_same_every_time_whatever_the_style(report, page, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30}):
        report.to_html(str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").read_bytes() == page.read_bytes()


def test_page_without_a_teachers_costs_or_a_students_size(tmp_path):
    pytest.importorskip("matplotlib")
    y, teacher, _, student = make_hits(180, 80, 150)
    found = stage(student, teacher, y, sample_weight=np.full(len(y), 2.0))
    found.models["student"]["bytes"] = None
    found.models["teacher"] |= {"latency_p50_us": None, "bytes": None}
    found.to_html(tmp_path / "report.html")
    reader = read_html((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(reader.alts) == 3
    assert "Each row counts once" in reader.alts[0]


def test_a_page_that_fails_leaves_the_old_one(report, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    page = tmp_path / "report.html"
    page.write_text("old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        report.to_html(page)
    assert page.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_page_needs_matplotlib(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"skdistill\[plot\]"):
        report.to_html(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
