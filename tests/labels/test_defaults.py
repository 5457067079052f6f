"""The default teacher and student: what they make of columns and of few rows."""

import datetime
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from _core import PLAIN
from lightgbm import LGBMClassifier
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skdistill import DistilledClassifier

N = 60
RNG = np.random.RandomState(0)
X, Y = make_classification(N, 4, random_state=0)
NUMBERS = RNG.normal(size=N)
SCALED = (NUMBERS - NUMBERS.mean()) / NUMBERS.std()
COUNTS = RNG.randint(0, 9, N).tolist()
WORDS = RNG.choice(["red", "green", "blue"], N).tolist()
FLAGS = (RNG.uniform(size=N) > 0.5).tolist()


def holes(values, missing=None):
    return [missing if k % 7 == 0 else value for k, value in enumerate(values)]


# What a column is

NUMBER_COLUMNS = {
    "float64": pd.Series(NUMBERS),
    "float32": pd.Series(NUMBERS, dtype="float32"),
    "int8": pd.Series(COUNTS, dtype="int8"),
    "uint64": pd.Series(COUNTS, dtype="uint64"),
    "float with NaN": pd.Series(holes(NUMBERS, np.nan)),
    "nullable Int64": pd.Series(holes(COUNTS, pd.NA), dtype="Int64"),
    "nullable Float64": pd.Series(holes(NUMBERS, pd.NA), dtype="Float64"),
    "arrow integers": pd.Series(holes(COUNTS), dtype="int64[pyarrow]"),
    "objects that are numbers": pd.Series(holes(COUNTS), dtype=object),
    "all missing": pd.Series([np.nan] * N),
    "all missing Int64": pd.Series([pd.NA] * N, dtype="Int64"),
    "constant": pd.Series([3] * N),
    "polars floats": pl.Series(NUMBERS),
    "polars float32": pl.Series(NUMBERS, dtype=pl.Float32),
    "polars integers with null": pl.Series(holes(COUNTS)),
    "polars all missing": pl.Series([None] * N, dtype=pl.Float64),
    "polars decimals": pl.Series(COUNTS, dtype=pl.Decimal(10, 2)),
}
CATEGORY_COLUMNS = {
    "text": pd.Series(WORDS),
    "text with None": pd.Series(holes(WORDS)),
    "objects that are text": pd.Series(holes(WORDS), dtype=object),
    "objects with NaN": pd.Series(holes(WORDS, np.nan), dtype=object),
    "string": pd.Series(WORDS, dtype="string"),
    "string with NA": pd.Series(holes(WORDS, pd.NA), dtype="string"),
    "arrow text with NA": pd.Series(holes(WORDS), dtype="string[pyarrow]"),
    "arrow text": pd.Series(WORDS, dtype="string[pyarrow]").convert_dtypes(
        dtype_backend="pyarrow"
    ),
    "objects with NA": pd.Series(holes(WORDS, pd.NA), dtype=object),
    "categories": pd.Series(holes(WORDS)).astype("category"),
    "categories of numbers": pd.Series(holes(COUNTS)).astype("category"),
    "boolean": pd.Series(FLAGS),
    "nullable boolean": pd.Series(holes(FLAGS, pd.NA), dtype="boolean"),
    "arrow booleans": pd.Series(holes(FLAGS), dtype="bool[pyarrow]"),
    "objects that are booleans": pd.Series(holes(FLAGS), dtype=object),
    "constant text": pd.Series(["red"] * N),
    "all missing NA": pd.Series([pd.NA] * N, dtype=object),
    "all missing text": pd.Series([None] * N, dtype="str"),
    "polars text": pl.Series(holes(WORDS)),
    "polars categories": pl.Series(holes(WORDS), dtype=pl.Categorical),
    "polars enum": pl.Series(holes(WORDS), dtype=pl.Enum(["red", "green", "blue"])),
    "polars booleans": pl.Series(holes(FLAGS)),
}
OTHER_COLUMNS = {
    "dates": pd.Series(pd.date_range("2024-01-01", periods=N)),
    "periods": pd.Series(pd.period_range("2024-01", periods=N, freq="M")),
    "durations": pd.Series(pd.to_timedelta(COUNTS, unit="D")),
    "lists": pd.Series([[1]] * N),
    "text and numbers": pd.Series(WORDS[:30] + COUNTS[30:], dtype=object),
    "text and booleans": pd.Series(WORDS[:30] + FLAGS[30:], dtype=object),
    "objects that are dates": pd.Series([datetime.date(2024, 1, 1)] * N),
    "polars dates": pl.Series([datetime.date(2024, 1, 1)] * N),
    "polars lists": pl.Series([[1]] * N),
}


def frame(column, **more):
    kind = pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame
    return kind({"column": column, **more})


def fit_columns(rows):
    """Return the fitted preprocessing of the default student.

    Its network learns probabilities that tell nothing, and so ends soon.
    """
    n_samples = rows.shape[0] if hasattr(rows, "shape") else len(rows)
    y = np.arange(n_samples) % 2
    stored = np.full((n_samples, 2), 0.5)
    distilled = DistilledClassifier(augmenter=None, random_state=0)
    return distilled.fit(rows, y, teacher_proba=stored).student_[:-1]


def prepare(rows):
    return fit_columns(rows).transform(rows)


@pytest.mark.parametrize("name", NUMBER_COLUMNS)
def test_columns_of_numbers(name):
    column = NUMBER_COLUMNS[name]
    prepared = prepare(frame(column, word=WORDS))
    n_missing = sum(value is None or value is pd.NA or value != value
                    for value in column.to_list())  # fmt: skip
    # One column, one that says where it is missing, and three words.
    assert prepared.shape == (N, 1 + (n_missing > 0) + 3)
    np.testing.assert_allclose(prepared[:, 0].mean(), 0, atol=1e-6)
    constant = n_missing == N or name == "constant"
    np.testing.assert_allclose(prepared[:, 0].std(), 0 if constant else 1, atol=1e-6)
    np.testing.assert_allclose(prepare(frame(column)), prepared[:, :-3], atol=1e-6)


@pytest.mark.parametrize("name", CATEGORY_COLUMNS)
def test_columns_of_categories(name):
    column = CATEGORY_COLUMNS[name]
    prepared = prepare(frame(column, number=NUMBERS))
    categories = {None if v is pd.NA or v != v else v for v in column.to_list()}
    assert prepared.shape == (N, 1 + len(categories))
    np.testing.assert_allclose(prepared[:, 0], SCALED)
    indicators = prepared[:, 1:]
    assert set(np.unique(indicators)) <= {0.0, 1.0}
    np.testing.assert_array_equal(indicators.sum(axis=1), 1)
    np.testing.assert_array_equal(prepare(frame(column)), indicators)


@pytest.mark.parametrize("flags", ["boolean", "nullable boolean", "arrow booleans"])
def test_text_of_arrow_beside_booleans(flags):
    flags = CATEGORY_COLUMNS[flags]
    rows = pd.DataFrame({"text": CATEGORY_COLUMNS["arrow text"], "flags": flags})
    prepared = prepare(rows)
    for place, word in enumerate(["blue", "green", "red"]):
        np.testing.assert_array_equal(prepared[:, place], np.equal(WORDS, word))
    missing, true = flags.isna(), flags.fillna(False).astype(bool)
    expected = [~missing & ~true, true] + [missing] * bool(missing.any())
    np.testing.assert_array_equal(prepared[:, 3:], np.column_stack(expected))


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_what_steps_return_by_the_configuration_is_theirs_alone(output):
    if output == "polars":
        try:
            pl.DataFrame().to_numpy()
        except ValueError:
            # The indicator inside of scikit-learn's imputer needs it.
            pytest.skip("this polars makes no array of a frame without columns")
    rows = frame(CATEGORY_COLUMNS["text"], number=NUMBERS)
    with config_context(transform_output=output):
        prepared = prepare(rows)
    assert isinstance(prepared, np.ndarray)
    np.testing.assert_allclose(prepared[:, 0], SCALED)


@pytest.mark.parametrize("name", OTHER_COLUMNS)
def test_other_columns_are_refused(name):
    rows = frame(OTHER_COLUMNS[name], number=NUMBERS)
    with pytest.raises(TypeError, match=r"columns \['column'\] hold something else"):
        fit_columns(rows)


def test_columns_of_arrays():
    array = np.array(
        list(zip(holes(NUMBERS), holes(WORDS), FLAGS, strict=True)), dtype=object
    )
    prepared = prepare(array)
    assert prepared.shape == (N, 2 + 4 + 2)
    np.testing.assert_allclose(prepared[:, 0].std(), 1)
    assert set(np.unique(prepared[:, 2:])) == {0.0, 1.0}
    words = prepare(np.array([WORDS, WORDS]).T)
    assert words.shape == (N, 6)
    np.testing.assert_array_equal(words.sum(axis=1), 2)
    np.testing.assert_array_equal(
        prepare(np.array([FLAGS]).T), np.column_stack([np.invert(FLAGS), FLAGS])
    )
    dates = np.array([["2024-01-01"]] * N, dtype="M8[D]")
    with pytest.raises(TypeError, match=r"columns \[0\] hold something else"):
        fit_columns(dates)


@pytest.mark.parametrize(
    ("rows", "n_dims"), [(NUMBERS, 1), (np.array(WORDS), 1), (np.zeros((4, 2, 2)), 3)]
)
def test_only_tables_are_taken(rows, n_dims):
    with pytest.raises(ValueError, match=f"Expected 2D array, got {n_dims}D array"):
        fit_columns(rows)


def test_numbers_alone_need_no_column_transformer():
    assert not isinstance(fit_columns(X)[0], ColumnTransformer)
    assert not isinstance(fit_columns(X.tolist())[0], ColumnTransformer)
    words = pd.DataFrame({"w": WORDS})
    assert isinstance(fit_columns(words)[0], ColumnTransformer)


@pytest.mark.parametrize("names", [[1, 0], [7, 3]])
def test_numbered_columns_are_taken_by_position(names):
    rows = pd.DataFrame(dict(zip(names, (WORDS, NUMBERS), strict=True)))
    prepared = prepare(rows)
    assert prepared.shape == (N, 1 + 3)
    np.testing.assert_allclose(prepared[:, 0], SCALED)


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array])
def test_sparse_rows_stay_sparse(kind):
    columns = fit_columns(kind(X))
    assert isinstance(columns[-1], MaxAbsScaler)
    prepared = columns.transform(kind(X))
    assert sp.issparse(prepared)
    np.testing.assert_allclose(abs(prepared).max(), 1)


@pytest.mark.parametrize("n_categories", [31, 32, 33, 60])
def test_rare_categories_share_a_column(n_categories):
    common = [f"category {k}" for k in range(30)] * 3
    rare = [f"category {k}" for k in range(30, n_categories)]
    rows = pd.DataFrame({"column": common + rare})
    columns = fit_columns(rows)
    prepared = columns.transform(rows)
    assert prepared.shape[1] == min(n_categories, 32)
    np.testing.assert_array_equal(prepared.sum(axis=1), 1)
    unknown = columns.transform(pd.DataFrame({"column": ["unknown", "category 0"]}))
    # Unknown categories go where the rare ones are, if some are rare.
    assert unknown[0].sum() == (n_categories >= 32)
    assert unknown[1].sum() == 1
    if n_categories >= 32:
        # The shared column is one of the 32; 31 categories have one of their own.
        assert unknown[0, -1] == 1
        assert prepared[:, -1].sum() == n_categories - 31


def test_missing_numbers_become_the_median_and_a_flag():
    rows = np.array([[1.0], [2.0], [30.0], [np.nan]])
    prepared = prepare(rows)
    assert prepared.shape == (4, 2)
    assert prepared[3, 0] == prepared[1, 0]
    assert (prepared[:3, 1] == prepared[0, 1]).all()
    assert prepared[3, 1] > prepared[0, 1]


# What is built


def test_numbers_beyond_those_that_were_learned_are_served_as_the_nearest_one():
    """A wrong entry, such as a length in other units, is no new kind of row."""
    frame = pd.DataFrame(X, columns=list("abcd")).assign(word=WORDS)
    frame.loc[::9, "a"] = np.nan
    student = DistilledClassifier(random_state=0, **PLAIN).fit(frame, Y)
    far, near = frame.copy(), frame.copy()
    far[["b", "c"]] *= 1000
    for name in ("b", "c"):
        near[name] = far[name].clip(frame[name].min(), frame[name].max())
    assert_served_alike(student, frame, far, near)


def test_sparse_numbers_beyond_those_that_were_learned():
    rows = sp.random_array((N, 6), density=0.5, rng=0, format="csr")
    student = DistilledClassifier(random_state=0, **PLAIN).fit(rows, Y)
    far = 1000 * rows
    near = sp.csr_array(np.minimum(far.toarray(), rows.max(axis=0).toarray()))
    assert_served_alike(student, rows, far, near)


def assert_served_alike(student, rows, far, near):
    for model in (student.teacher_, student):
        proba = model.predict_proba(far)
        np.testing.assert_allclose(proba, model.predict_proba(near), atol=1e-12)
        assert abs(proba - model.predict_proba(rows)).max() > 0.01


def test_the_default_teacher():
    distilled = check_fit(X, Y, student=LogisticRegression(), **PLAIN)
    assert distilled.score(X, Y) > 0.8
    vote = distilled.teacher_[-1]
    assert isinstance(vote, VotingClassifier)
    assert vote.voting == "soft"
    members = [type(member) for member in vote.estimators_]
    assert members == [LGBMClassifier, MLPClassifier, MLPClassifier, LGBMClassifier]
    boosted, *networks, sampled = vote.estimators_
    assert boosted.n_jobs == sampled.n_jobs == 1
    # The networks never split: a class may have a single row.
    assert not any(network.early_stopping for network in networks)


@pytest.mark.parametrize(("n_samples", "stops"), [(199, False), (200, True)])
def test_few_rows_are_not_split_to_stop_early(n_samples, stops):
    rows, y = make_classification(n_samples, random_state=0)
    distilled = DistilledClassifier(random_state=0, **PLAIN)
    network = distilled.fit(
        rows, y, teacher_proba=np.full((n_samples, 2), 0.5)
    ).student_
    assert network[-1].early_stopping is stops
    assert network[-1].hidden_layer_sizes == (64, 32)


@pytest.mark.parametrize(
    ("n_samples", "params", "stored", "stops"),
    [
        pytest.param(500, {}, False, False, marks=pytest.mark.slow),
        (500, {}, True, True),
        pytest.param(499, {}, False, False, marks=pytest.mark.slow),
        (499, {"pilot": 0}, False, True),
        (500, {"pilot": 0}, False, True),
        (500, {"augmenter": None}, False, True),
        pytest.param(
            *(300, {"augmenter": "munge"}, False, False), marks=pytest.mark.slow
        ),
    ],
)
def test_the_default_student_stops_early_where_no_row_is_made(
    n_samples, params, stored, stops
):
    rows, y = make_classification(n_samples, random_state=0)
    teacher = GaussianNB()
    given = {"teacher_proba": teacher.fit(rows, y).predict_proba(rows)}
    distilled = DistilledClassifier(
        None if stored else teacher, n_synthetic=20, random_state=0, **params
    )
    with warnings.catch_warnings():
        # That this teacher brings nothing is not the subject.
        warnings.simplefilter("ignore")
        distilled.fit(rows, y, **(given if stored else {}))
    assert distilled.student_[-1].early_stopping is stops


# Whole fits

MIXED = pd.DataFrame(
    {"number": holes(X[:, 0], np.nan), "other": X[:, 1], "word": WORDS, "flag": FLAGS}
)


def check_fit(rows, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # That pilots took the true labels is said, and nothing else.
        warnings.filterwarnings("ignore", "The teacher", UserWarning)
        warnings.filterwarnings("ignore", "X has 4 rows, too few", UserWarning)
        warnings.filterwarnings("ignore", r".*no row of the classes \[2\]", UserWarning)
        distilled = DistilledClassifier(**params, random_state=0).fit(rows, y)
        proba = distilled.predict_proba(rows)
    assert proba.shape == (len(y), len(np.unique(y)))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(distilled.student_.predict_proba(rows), proba)
    return distilled


@pytest.mark.parametrize(
    ("n_samples", "params"),
    [(4, {}), (12, PLAIN), (N, PLAIN), pytest.param(N, {}, marks=pytest.mark.slow)],
)
def test_tiny_data(n_samples, params):
    order = np.argsort(np.arange(N) % 2, kind="stable")
    codes = np.arange(N) % 2
    take = np.sort(np.r_[order[: n_samples // 2], order[-(n_samples // 2) :]])
    rows = MIXED.iloc[take].assign(other=codes[take] + 0.1 * X[take, 1])
    distilled = check_fit(rows, codes[take], **params)
    assert distilled.score(rows, codes[take]) >= 0.9


@pytest.mark.parametrize("n_samples", [60, 210])
def test_a_class_with_a_single_row(n_samples):
    rows, y = make_classification(n_samples, 4, class_sep=2, random_state=1)
    y[0] = 2
    distilled = check_fit(rows, y, student=LogisticRegression())
    assert distilled.classes_.tolist() == [0, 1, 2]
    assert distilled.score(rows, y) > 0.9


def test_the_default_student_learns_from_any_teacher():
    teacher = make_pipeline(fit_columns(MIXED), LogisticRegression())
    distilled = check_fit(MIXED, Y, teacher=teacher, **PLAIN)
    gap = np.abs(
        distilled.predict_proba(MIXED) - distilled.teacher_.predict_proba(MIXED)
    )
    assert gap.mean() < 0.05


def test_the_defaults_take_weights_and_folds():
    wrong = np.arange(N) % 3 == 0
    weight = np.where(wrong, 0.0, 1.0)
    flipped = np.where(wrong, 1 - Y, Y)
    distilled = DistilledClassifier(LogisticRegression(), cv=2, random_state=0, **PLAIN)
    distilled.fit(X, flipped, sample_weight=weight)
    without = LogisticRegression().fit(X[~wrong], Y[~wrong])
    np.testing.assert_allclose(distilled.teacher_.coef_, without.coef_, atol=1e-3)
    assert (distilled.predict(X) == without.predict(X)).mean() > 0.8
