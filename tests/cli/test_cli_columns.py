"""Columns that the command notes, leaves out, or turns into numbers."""

import re
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from _command import (
    N_ROWS,
    WITHOUT,
    make_frame,
    read_report,
    read_rows,
    refuse,
    run,
    run_quickly,
    shrink_default_teacher,
)
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

DOCS = Path(__file__).resolve().parents[2] / "docs"


def write(name="data.csv", seed=0, **columns):
    make_frame(seed).assign(**columns).to_csv(name, index=False)


def list_notes(capsys, *arguments):
    """Return what is noted before any fit: the missing teacher ends the run."""
    options = "--target", "label", "--teacher", "nowhere.joblib"
    assert run("data.csv", *options, *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "skdistill: error: no teacher file nowhere.joblib."
    assert all(line.startswith(("Note: ", "  ")) for line in lines[:-1])
    assert max(map(len, lines)) <= 80
    return " ".join(line.strip() for line in lines[:-1])


def shuffle(values):
    return np.random.RandomState(0).permutation(values)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (np.arange(N_ROWS), "it numbers the rows: 'x'"),
        (np.arange(N_ROWS)[::-1] * 3, "it numbers the rows: 'x'"),
        (shuffle(np.arange(N_ROWS)), "it differs in almost all: 'x'"),
        # Blanks make floats of integers.
        (
            np.where(np.arange(N_ROWS) % 9, shuffle(np.arange(N_ROWS)), np.nan),
            "it differs in almost all: 'x'",
        ),
        # One value occurs twice.
        (shuffle([*range(N_ROWS - 1), 0]), "it differs in almost all: 'x'"),
    ],
)
def test_identifiers_are_noted(column, reason, capsys):
    write(x=column)
    notes = list_notes(capsys)
    assert f"looks like an identifier, for {reason}" in notes
    assert "--drop NAME" in notes
    assert list_notes(capsys, "--drop", "x") == ""
    assert list_notes(capsys, "--keep", "x") == ""


@pytest.mark.parametrize(
    "column",
    [
        np.arange(N_ROWS) + 0.5,
        np.random.RandomState(0).rand(N_ROWS),
        np.arange(N_ROWS) // 2,
        shuffle([*range(N_ROWS - 3), 0, 0, 0]),
        np.full(N_ROWS, 7),
        np.arange(N_ROWS) % 2 == 0,
    ],
)
def test_other_columns_are_not_noted(column, capsys):
    write(x=column)
    assert list_notes(capsys) == ""


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_columns_of_public_tables_are_not_noted(load, capsys):
    table = load(as_frame=True)
    rows = table.data.assign(label=table.target_names[table.target])
    rows.drop_duplicates().to_csv("data.csv", index=False)
    assert list_notes(capsys) == ""


def test_few_rows_of_different_strings_are_noted(capsys):
    frame = make_frame().iloc[:90]
    frame.assign(x=[f"name {k}" for k in range(90)]).to_csv("data.csv", index=False)
    assert "differs in almost all: 'x'" in list_notes(capsys)


def test_numbers_written_for_people_are_named(capsys):
    values = np.arange(N_ROWS)
    write(
        price=[f"{1000 + k:,}.50" for k in values],
        share=[f"{k}%" for k in values],
        text=[f"{k} a" for k in values],
    )
    assert list_notes(capsys).endswith(
        "(--keep NAME takes it). 'price' looks like numbers, such as '1,000.50' and "
        "'share' looks like numbers, such as '0%': write numbers as 1234.5, and leave "
        "a missing one blank."
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([*map(str, range(18, 90)), "?"], "such as '18', but for '?'"),
        ([*(f"{k / 7:.2f}" for k in range(50)), "-", "unknown"], "for '-', 'unknown'"),
        ([*(f"{k * 1e-6}" for k in range(1, 20)), "-"], "such as '1e-06', but for '-'"),
        ([f"${k},200" for k in range(1, 40)], "such as '$1,200'"),
        ([f"{k}%" for k in range(40)], "such as '0%'"),
    ],
)
def test_numbers_that_are_learned_as_categories_are_named(written, said, capsys):
    write(x=np.resize(written, N_ROWS))
    notes = list_notes(capsys)
    assert notes.startswith("Note: learned as categories, not as numbers: 'x' looks ")
    assert notes.endswith(
        f"{said}: write numbers as 1234.5, and leave a missing one blank."
    )
    assert list_notes(capsys, "--keep", "x") == ""


def test_a_dirty_value_is_named_where_numbers_are_left_out(capsys):
    write(x=[*map(str, np.arange(N_ROWS - 1) / 7), "?"])
    assert "such as '0.0', but for '?': write numbers" in list_notes(capsys)


@pytest.mark.parametrize(
    "values", [["1", "2", "3", "4", "5+"], ["12a", "12", "13"], ["007", "008", "01A"]]
)
def test_names_with_digits_are_no_numbers(values, capsys):
    write(x=np.resize(values, N_ROWS))
    assert list_notes(capsys) == ""


def test_strings_of_many_values_are_left_out(capsys):
    values = np.arange(N_ROWS)
    write(
        x=np.char.add("a", (values % 101).astype(str)),
        y=np.char.add("b", (values % 100).astype(str)),
    )
    assert list_notes(capsys) == (
        "Note: left out, as text with more than 100 different values: 'x' (--keep "
        "NAME takes it)."
    )
    assert list_notes(capsys, "--keep", "x") == ""
    names = ["size", "colour", "ripe", "age"]
    assert read_rows("data.csv", "--drop", "y").columns.tolist() == names
    kept = read_rows("data.csv", "--keep", "x").columns.tolist()
    assert kept == [*names, "x", "y"]


def test_dates_become_numbers(capsys, monkeypatch):
    shrink_default_teacher(monkeypatch)
    days = pd.Series(pd.date_range("2023-12-30 06:00", periods=N_ROWS, freq="30h"))
    days[3] = pd.NaT
    write(when=days)
    write("test.csv", seed=2, when="2020-02-29")
    options = "--student", "logistic", "--json", "report.json", *WITHOUT
    assert run("data.csv", "--target", "label", "--test", "test.csv", *options) == 0
    record = read_report()
    names = joblib.load("student.joblib").feature_names_in_.tolist()
    parts = [f"when.{part}" for part in ("year", "month", "weekday", "hour", "days")]
    assert names == ["size", "colour", "ripe", "age", *parts]
    assert record["n_features"] == len(names)
    (note,) = record["notes"]
    assert note.startswith("'when' holds dates; the model takes instead 'when.year',")
    printed = capsys.readouterr()
    assert f"Note: {note}" in " ".join(printed.err.split())
    assert "predict_proba(rows)  # with the numbers of dates" in printed.out
    # The page's code serves rows as they stand in a file.
    make_frame(2).assign(when="2020-02-29", more=1).to_csv("new.csv", index=False)
    page, scope = (DOCS / "howto" / "command.md").read_text(encoding="utf-8"), {}
    exec(re.search(r"```python\n(.*?)```", page, re.S)[1], scope)
    days = (pd.Timestamp("2020-02-29") - pd.Timestamp(0)).days
    assert scope["rows"].iloc[0, -5:].tolist() == [2020, 2, 5, 0, days]
    assert scope["proba"].shape == (N_ROWS, 2)


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        (["10/04/1912", "12/04/1912"], "month"),
        (["10-04-1912 09:00", "12-04-1912 10:00"], "month"),
        (["10.04.1912", "12.04.1912"], None),
        (["13/04/1912", "10/04/1912"], None),
        (["04/04/1912", "05/05/1912"], None),
        (["1912-04-10", "1912-04-12"], None),
    ],
)
def test_an_order_of_month_and_day_that_nothing_tells_is_noted(dates, first, capsys):
    write(when=np.resize(dates, N_ROWS))
    notes = list_notes(capsys)
    assert "'when' holds dates" in notes
    assert ("Nothing tells month from day" in notes) == (first is not None)
    assert first is None or f"and the {first} is taken to come first" in notes


def test_a_date_that_is_kept_stays_text():
    write(when=pd.date_range("2023-12-30", periods=N_ROWS))
    row = read_rows("data.csv", "--test", "data.csv", "--keep", "when")
    assert row["when"].tolist() == ["2023-12-30"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["2024-02-01", "2024-03-13 12:00"], [2024, 2, 3, 0, 19754]),
        (["2024-03-13 12:00", "2024-02-01"], [2024, 3, 2, 12, 19795.5]),
        (["01/02/2024", "13/03/2024"], [2024, 2, 3, 0, 19754]),
        (["02/01/2024", "03/13/2024"], [2024, 2, 3, 0, 19754]),
        (["2/1/24", "3/13/24"], [2024, 2, 3, 0, 19754]),
        (["01.02.2024", "02.03.2024"], [2024, 2, 3, 0, 19754]),
        (["1 Feb 2024", "13 Mar 2024"], [2024, 2, 3, 0, 19754]),
        (["2024-02-01T01:00+01:00"], [2024, 2, 3, 0, 19754]),
    ],
)
def test_numbers_of_a_date(written, expected):
    write(when=np.resize(written, N_ROWS))
    row = read_rows("data.csv", "--test", "data.csv")
    assert row.columns[-5:].tolist() == [
        f"when.{part}" for part in ("year", "month", "weekday", "hour", "days")
    ]
    assert row.iloc[0, -5:].tolist() == expected


@pytest.mark.parametrize(
    "values",
    [["10-19", "20-29"], ["12:30", "13:20"], ["1.2.3", "2.3.4"], ["May", "June"]],
)
def test_other_strings_are_no_dates(values, capsys):
    write(x=np.resize(values, N_ROWS))
    assert list_notes(capsys) == ""


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["--drop", "nowhere"], "--drop 'nowhere': data.csv has no such feature"),
        (["--keep", "label"], "--keep 'label': data.csv has no such feature"),
        (
            ["--drop", "age", "--keep", "age"],
            "'age' to --drop or to --keep, not to both",
        ),
        (
            ["--drop=size", "--drop=age", "--drop=ripe", "--drop=colour"],
            "no column is left",
        ),
    ],
)
def test_refused_choices(arguments, received, capsys):
    write()
    assert received in refuse(capsys, "data.csv", "--target", "label", *arguments)


def test_refused_dates(capsys):
    when = pd.Series(pd.date_range("2023-12-30", periods=N_ROWS)).astype(str)
    write(when=when)
    write("test.csv", when=when.where(when.index != 5, "soon"))
    arguments = "data.csv", "--target", "label", "--test", "test.csv"
    line = refuse(capsys, *arguments)
    assert (
        "'when' holds dates in the rows to learn from, and 'soon' in test.csv" in line
    )
    write(when=when, **{"when.year": 1})
    assert "makes a second 'when.year'" in refuse(capsys, *arguments[:3])


def test_copies_of_rows_are_counted(capsys):
    frame = make_frame().assign(weight=np.random.RandomState(1).normal(size=N_ROWS))
    pd.concat([frame] * 3).to_csv("data.csv", index=False)
    notes = list_notes(capsys)
    assert "320 of 480 rows of data.csv repeat others in every column but" in notes
    frame[:40].to_csv("data.csv", index=False)
    frame[30:].to_csv("test.csv", index=False)
    notes = list_notes(capsys, "--test", "test.csv")
    assert "10 of 130 rows of test.csv are also in data.csv" in notes
    frame[40:].to_csv("test.csv", index=False)
    assert "also in" not in list_notes(capsys, "--test", "test.csv")


@pytest.mark.usefixtures("teacher")
def test_a_test_row_is_no_copy_of_one_that_was_learned():
    """A tree that has memorised labels drawn at random is right on half of the rows."""
    rng = np.random.RandomState(1)
    frame = make_frame().assign(weight=rng.normal(size=N_ROWS))
    teacher = joblib.load("teacher.joblib").fit(
        frame.drop(columns="label"), frame["label"]
    )
    joblib.dump(teacher, "teacher.joblib")
    frame["label"] = rng.choice(["bad", "good"], N_ROWS)
    pd.concat([frame] * 8).to_csv("data.csv", index=False)
    assert run_quickly("--student", "tree", "--json", "report.json") == 0
    models = read_report()["report"]["models"]
    assert 0.2 < models["baseline"]["accuracy"] < 0.8
