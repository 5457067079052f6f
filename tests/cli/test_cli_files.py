"""Files that the command reads, and files that it refuses before any work."""

import os
import stat
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
from _command import (
    N_ROWS,
    make_frame,
    prepare_columns,
    read_rows,
    refuse,
    refuse_text,
    run_quickly,
    write_teacher,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def write_labels(labels):
    """Write rows with these labels and a teacher of them."""
    frame = make_frame()
    positive = (frame.pop("label") == "good").to_numpy()
    names = np.where(positive, *labels)
    frame.assign(label=names).to_csv("data.csv", index=False)
    model = make_pipeline(prepare_columns(), LogisticRegression())
    joblib.dump(model.fit(frame, names), "teacher.joblib")


# What is read ------------------------------------------------------------------------


@pytest.mark.parametrize("sep", [";", "\t", "|"])
def test_separators(sep, data):
    make_frame().to_csv(data, index=False, sep=sep)
    # A test file may have a separator of its own.
    make_frame(seed=2).to_csv("test.csv", index=False)
    row = read_rows(data, "--test", "test.csv")
    pd.testing.assert_frame_equal(row, pd.read_csv("test.csv").iloc[:1, :-1])


@pytest.mark.parametrize(
    ("sep", "written", "first"),
    [
        (";", ["1,5", "-2", ""], 1.5),
        (";", ["-2", "1,5", ""], -2.0),
        ("\t", ["3,125", "1,5"], 3.125),
        ("|", ["3,125", "1,5"], 3.125),
        (";", ["1.234,56", "2"], 1234.56),
        (";", ["1.234,567", "2"], 1234.567),
        # It may be 1500.
        (";", ["1,500", "2"], "1,500"),
        (";", ["1,5", "a"], "1,5"),
        (",", ["1,5", "2"], "1,5"),
    ],
)
def test_decimal_commas(sep, written, first, data):
    """Read as numbers where commas separate no columns."""
    prices = np.resize(written, N_ROWS)
    make_frame().assign(price=prices).to_csv(data, index=False, sep=sep)
    assert read_rows(data, "--test", data)["price"].tolist() == [first]


def test_points_between_thousands(data, capsys):
    """Read as such where other columns have decimal commas; 0.531 is no thousands."""
    rng = np.random.RandomState(0)
    price, share, test = rng.randint(50, 60_000, N_ROWS), rng.rand(N_ROWS), "test.csv"
    frame = (
        make_frame()
        .drop(columns="size")
        .assign(
            margin=[f"{value:.2f}".replace(".", ",") for value in share],
            mm=[f"{1 + value:.3f}".replace(".", ",") for value in share],
            price=[f"{value:,}".replace(",", ".") for value in price],
            m2=[f"{value:.3f}" for value in share],
        )
    )
    frame.to_csv(data, index=False, sep=";")
    # A row alone does not tell how it is written.
    frame["margin"] = "1"
    row = pd.Series(price > 1000).idxmax()
    frame.iloc[[row]].to_csv(test, index=False, sep=";")
    seen = read_rows(data, "--test", test).iloc[0]
    assert seen["price"] == price[row]
    assert seen["m2"] == pytest.approx(share[row], abs=1e-3)
    assert "('price', " in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("decimal_points", "first"), [(False, 50140.0), (True, 50.14)])
def test_decimal_commas_tell_what_all_points_are(decimal_points, first, data):
    """Where every number has a point, columns of commas tell, unless others differ."""
    frame = make_frame().drop(columns="size").assign(margin="0,5")
    frame["price"] = np.resize(["50.140", "20.793"], N_ROWS)
    if decimal_points:
        frame["ratio"] = 0.25
    frame.to_csv(data, index=False, sep=";")
    assert read_rows(data, "--test", data)["price"].item() == first


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (["50.140", "586", "2.793"], True),
        # Floats of three places, as pandas and as R write them.
        (["50.140", "586.000", "2.793"], False),
        (["50.14", "586", "2.793"], False),
        (["12.345", "12.346"], False),
        (["50.140", "586", "0.793"], False),
        (["50.140", "1586", "2.793"], False),
        # Thirds.
        (["3", "3.333", "3.667"], False),
    ],
)
@pytest.mark.parametrize("sep", [",", ";"])
def test_points_that_may_separate_thousands(sep, written, said, data, capsys):
    price = np.resize(written, N_ROWS)
    make_frame().assign(price=price).to_csv(data, index=False, sep=sep)
    assert read_rows(data, "--test", data)["price"].item() == float(written[0])
    notes = " ".join(capsys.readouterr().err.split())
    assert ("('price', 50.140), but three digits" in notes) == said


def test_all_rows_of_a_large_file_decide_the_type_of_a_column():
    """pandas would read the first million cells as numbers, and the others as text."""
    lines = [f"{k % 10},{'1,' * 999}{k % 2}\n" for k in range(1100)]
    names = ",".join(f"x{k}" for k in range(1000))
    with open("large.csv", "w") as file:
        file.writelines([f"{names},label\n", *lines, f"none,{'1,' * 999}1\n"])
    assert read_rows("large.csv", "--test", "large.csv")["x0"].tolist() == ["0"]


@pytest.mark.parametrize("labels", [("007", "012"), ("NA", "None")])
def test_labels_as_they_are_written(labels):
    write_labels(labels)
    assert run_quickly() == 0
    assert joblib.load("student.joblib").classes_.tolist() == sorted(labels)


def test_classes_that_look_like_numbers_are_noted(capsys, data):
    shares = np.resize(["10%", "20%", "30%"], N_ROWS)
    make_frame().assign(label=shares).to_csv(data, index=False)
    read_rows(data, "--test", data)
    notes = " ".join(capsys.readouterr().err.split())
    assert "'label' looks like numbers, such as '10%', and is learned as class" in notes
    read_rows(data, "--test", data, "--task", "classification")
    assert "Note" not in capsys.readouterr().err


def test_only_a_blank_is_a_missing_name(capsys, data):
    write_labels(("nan", ""))
    assert "is missing in" in refuse(capsys, data, "--target", "label")


def test_words_of_missing_values_among_numbers_are_no_class(capsys):
    rows = "".join(f"{k / 7},{k % 2}\n" for k in range(40))
    assert "missing in 1 rows" in refuse_text(capsys, f"a,label\n{rows}1.5,NA\n")


def test_boolean_column_with_blanks_in_the_test_file_alone(capsys, data):
    write_teacher("teacher.joblib")
    frame = make_frame(seed=2).astype({"ripe": object})
    frame.loc[::5, "ripe"] = None
    frame.to_csv("test.csv", index=False)
    assert run_quickly("--test", "test.csv") == 0
    assert "160 to test on" in capsys.readouterr().out


def test_boolean_column_with_blanks_is_read_alike_in_both_files(data):
    """As text "True" it would be another value than the one that was learned."""
    frame = make_frame().astype({"ripe": object})
    frame.loc[::5, "ripe"] = None
    frame.to_csv(data, index=False)
    make_frame(seed=2).to_csv("test.csv", index=False)
    row = read_rows(data, "--test", "test.csv")
    assert row["ripe"].tolist() == [bool(make_frame(seed=2)["ripe"][0])]


def test_pipe(data):
    if not os.path.exists("/dev/fd"):
        pytest.skip("needs /dev/fd")
    read, write = os.pipe()
    os.write(write, data.read_bytes())
    os.close(write)
    assert read_rows(f"/dev/fd/{read}").shape == (1, 4)
    os.close(read)


# What is refused ---------------------------------------------------------------------

_ROWS = "".join(f"{k % 7 + 0.5},{'xy'[k % 2]}\n" for k in range(40))


def write_rows(form, n_rows=40):
    return "a,label\n" + "".join(form.format(k, k / 7) + "\n" for k in range(n_rows))


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("", "is empty"),
        ("a,label\n", "has no rows"),
        ("label\n1\n2\n", "no columns beside the target"),
        ("a,b\n1,2\n", "no column 'label'; it has a, b."),
        ("a,Label\n1,2\n", "it has a, Label. Is 'Label' meant?"),
        (",".join("abcdefghijkl") + "\n", "g, h, i, j, ..."),
        (b"a,label\n\xff\xfe,1\n", "UTF-8"),
        ('a,label\n"1,2\n', "is not a CSV file"),
        ("a,label\n1,2,3\n", "more fields than its first line names"),
        ("a,label\n1,x\n2,\n", "missing in 1 rows"),
        ("a,b,label\n" + "1,2,x\n1,2,y\n" * 30, "constant"),
        (write_rows("{},x"), "every label"),
        ("a,label\n1,x\n2,y\n3,x\n4,y\n5,x\n6,y\n7,x\n8,y\n", "at least 20."),
        (
            write_rows("{0},{0}", 45),
            "holds 45 different labels in 45 rows, too many to be classes; --task "
            "regression learns values",
        ),
        (f"a,label\n{_ROWS}1,once\n", "class 'once' of bad.csv has one row"),
        (
            "a,label\n" + "".join(f"name {k},{k % 2}\n" for k in range(200)),
            "no column is left of bad.csv to learn from; left out, as text with more "
            "than 100 different values: 'a' (--keep NAME takes it)",
        ),
        (
            "a,label\n" + "1,1.5\n2,inf\n" * 20,
            "the target 'label' of bad.csv is infinite or beyond 3.4e+38 in 20 rows",
        ),
        ("a\0b,label\n" + _ROWS, "its first line holds a NUL"),
        ("a,b,a,label\n" + "1,2,3,x\n", "names columns twice: ['a']"),
        ("label,a,label\n" + "x,1,y\n", "names the target 'label' twice"),
        ("a;a;label\n1;2;x\n", "names columns twice: ['a']"),
        (f"a,label\n{_ROWS}-inf,x\n", "column 'a' of bad.csv holds -inf in row 41"),
        (f"a,label\n{_ROWS}1e308,x\n", "column 'a' of bad.csv holds 1e+308 in row 41"),
    ],
)
def test_refused_text(text, received, capsys):
    assert received in refuse_text(capsys, text)


@pytest.mark.parametrize(
    "header", ["a\0b,label", "a,la\0bel", "\0,label", '"a\0",label', "a\0\tlabel"]
)
def test_refused_nul_in_the_header_before_any_work(header, capsys):
    """The file of the teacher, which comes next, is missing."""
    rows = _ROWS.replace(",", "\t") if "\t" in header else _ROWS
    with open("bad.csv", "w") as file:
        file.write(f"{header}\n{rows}")
    options = "--target", "label", "--teacher", "nowhere.joblib"
    assert "its first line holds a NUL" in refuse(capsys, "bad.csv", *options)


@pytest.mark.parametrize(
    ("form", "looks"), [("{:.2f}%", True), ("${:,.2f}", True), ("?{:.2f}", False)]
)
@pytest.mark.parametrize("task", [[], ["--task", "regression"]])
def test_refused_target_that_looks_like_numbers(form, looks, task, capsys):
    values = [form.format(2 + k * 37.21) for k in range(45)]
    text = "".join(f"{k % 7}\t{value}\n" for k, value in enumerate(values))
    with open("bad.csv", "w") as file:
        file.write(f"a\tlabel\n{text}")
    line = refuse(capsys, "bad.csv", "--target", "label", *task)
    assert ("looks like numbers, such as '" in line) == looks
    assert (": write numbers as 1234.5" in line) == looks
    assert ("leave out --task" in line) == (bool(task) and not looks)


@pytest.mark.parametrize("value", ["inf", "1e308"])
def test_refused_numbers_in_the_test_file(value, capsys, data):
    frame = make_frame(seed=2).astype({"age": object})
    frame.loc[3, "age"] = value
    frame.to_csv("test.csv", index=False)
    line = refuse(capsys, data, "--target", "label", "--test", "test.csv")
    assert "column 'age' of test.csv holds" in line
    assert "in row 4; infinity and numbers beyond 3.4e+38" in line


def write_archive(name):
    frame = pd.DataFrame({"a": np.random.RandomState(0).rand(3000)})
    frame.assign(label=np.where(frame["a"] > 0.5, "x", "y")).to_csv(name, index=False)
    with open(name, "rb") as file:
        return file.read()


@pytest.mark.parametrize("kind", ["gz", "zip", "xz", "bz2", "tar", "tar.gz", "zst"])
def test_refused_archives(kind, capsys):
    if kind == "zst":
        pytest.importorskip("zstandard")
    name = f"data.csv.{kind}"
    content = write_archive(name)
    for part in (content[: len(content) // 2], content[:700], b"a,label\n1,x\n"):
        with open(name, "wb") as file:
            file.write(part)
        assert f"can't read {name}: " in refuse(capsys, name, "--target", "label")


def test_refused_false_zst(capsys):
    """Also where the reader of such archives is not installed."""
    with open("data.csv.zst", "wb") as file:
        file.write(b"a,label\n1,x\n")
    assert "can't read" in refuse(capsys, "data.csv.zst", "--target", "label")


def test_refused_archive_of_two_files(capsys):
    with zipfile.ZipFile("data.zip", "w") as archive:
        for name in "ab":
            archive.writestr(f"{name}.csv", f"a,label\n{_ROWS}")
    assert "data.zip" in refuse(capsys, "data.zip", "--target", "label")


@pytest.mark.parametrize("option", ["--out", "--json"])
def test_refused_names_of_outputs(option, capsys, tmp_path):
    def fail(name):
        return refuse(capsys, option, name)

    assert "File name too long" in fail("n" * 300)
    os.symlink("nowhere", "dangling")
    assert "a link to nothing" in fail("dangling")
    os.symlink("loop", "loop")
    assert "can't write to loop" in fail("loop")
    os.mkfifo("pipe")
    assert "not a file" in fail("pipe")


def test_refused_read_only_output(capsys, monkeypatch, tmp_path):
    target = tmp_path / "student.joblib"
    target.write_bytes(b"precious")
    target.chmod(stat.S_IRUSR)
    # The superuser may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "it is read-only" in refuse(capsys)
    assert target.read_bytes() == b"precious"
