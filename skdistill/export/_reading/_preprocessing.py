"""Fitted preprocessing as a table of terms: pipelines, column transformers, unions."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from ..._frames import is_missing
from ..._typing import FloatArray, IndexArray
from ._inputs import Inputs
from ._table import (
    Atom,
    Category,
    Missing,
    Step,
    Table,
    UnsupportedError,
    Value,
    join_tables,
    look_up,
    start_column,
    start_table,
)


def transform_inputs(steps: list[Any], inputs: Inputs) -> Table:
    """Apply fitted transformers to the input columns; raise as `transform_table`."""
    return _apply_steps(steps, start_table(len(inputs.columns), inputs.numbers))


def transform_table(transformer: Any, table: Table) -> Table:
    """Apply a fitted transformer to a table.

    Raise an UnsupportedError where its output is no arithmetic of this form.
    """
    if transformer is None or transformer == "passthrough":
        return table
    for kinds, apply in _APPLY:
        if isinstance(transformer, kinds):
            return apply(transformer, table)
    raise UnsupportedError(type(transformer).__name__)


def _apply_steps(steps: list[Any], table: Table) -> Table:
    for step in steps:
        table = transform_table(step, table)
    return table


def _apply_columns(transformer: ColumnTransformer, table: Table) -> Table:
    names = list(getattr(transformer, "feature_names_in_", []))
    parts = []
    for _, part, columns in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        positions = _find_columns(columns, names, table.width)
        if len(positions):
            parts.append(transform_table(part, table.select(positions)))
    _refuse_weights(transformer.transformer_weights)
    return join_tables(parts)


def _find_columns(columns: Any, names: list[str], width: int) -> IndexArray:
    if isinstance(columns, slice) and isinstance(columns.start or columns.stop, str):
        raise UnsupportedError("a slice of column names")
    if np.isscalar(columns):
        raise UnsupportedError("a column passed as a vector")
    if not isinstance(columns, slice):
        columns = [names.index(c) if isinstance(c, str) else c for c in columns]
        if not columns:
            return np.empty(0, dtype=np.intp)
    return np.arange(width)[columns]


def _apply_union(union: FeatureUnion, table: Table) -> Table:
    _refuse_weights(union.transformer_weights)
    parts = [part for _, part in union.transformer_list if part != "drop"]
    return join_tables([transform_table(part, table) for part in parts])


def _refuse_weights(weights: Any) -> None:
    if weights is not None:
        raise UnsupportedError("transformer_weights")


def _apply_imputer(imputer: SimpleImputer, table: Table) -> Table:
    raws = [raw for raw in table.raw if raw is not None]
    if len(raws) < table.width:
        raise UnsupportedError("imputation after arithmetic")
    filled = [
        _fill_column(table, k, imputer.missing_values, fill)
        for k, fill in enumerate(imputer.statistics_)
        # Columns that were all missing are left out; None is a value to the imputer.
        if imputer.keep_empty_features or fill is None or not is_missing(fill)
    ]
    if imputer.indicator_ is not None:
        if any(raw.fill is not None for raw in raws):
            raise UnsupportedError("indicators after imputation")
        flagged = [Missing(raws[k].column) for k in imputer.indicator_.features_]
        filled += [look_up(atom, np.ones(1)) for atom in flagged]
    return join_tables(filled)


def _fill_column(table: Table, k: int, missing: Any, fill: Any) -> Table:
    """Fill one column; all kinds of missing values, None and NaN say, are one here."""
    raw: Any = table.raw[k]
    if not is_missing(missing):
        # A number of the table may equal it as well; a stand-in of texts none does.
        if table.is_number(k) or raw.fill is None or raw.fill != missing:
            raise UnsupportedError("SimpleImputer of another value than NaN")
    elif raw.fill is not None:
        # Nothing is missing any more.
        return table.select([k])
    if is_missing(fill):
        fill = None
    if table.is_number(k) and not isinstance(fill, str):
        return start_column(Value(raw.column, None if fill is None else float(fill)))
    return Table([Value(raw.column, fill)], {}, np.zeros(1))


def _apply_encoder(encoder: Any, table: Table) -> Table:
    """Encode each category of a column, with the first one in all other columns."""
    encoder = copy.copy(encoder)
    # Probed with arrays, about whose missing names it would warn.
    vars(encoder).pop("feature_names_in_", None)
    vars(encoder).pop("_sklearn_output_config", None)
    first = [known[0] for known in encoder.categories_]
    base = _encode(encoder, [first])[0]
    terms: dict[Atom, FloatArray] = {}
    for k, (raw, known) in enumerate(zip(table.raw, encoder.categories_, strict=True)):
        if raw is None:
            atom, looked_up = _encode_again(encoder, table, k, first)
            terms[atom] = looked_up - base
            continue
        rows = [[*first[:k], category, *first[k + 1 :]] for category in known]
        looked_up = _encode(encoder, rows) - base
        unknown = _encode_unknown(encoder, first, k, base)
        categories = [None if is_missing(value) else value for value in known]
        if raw.fill is not None:
            # A missing value is served as what the imputer fills in.
            match = np.flatnonzero([value == raw.fill for value in known])
            filled = looked_up[match[0]] if len(match) else unknown
            looked_up = np.vstack([looked_up, filled])
            categories.append(None)
        # TargetEncoder has no such parameter, and takes the mean of the target.
        refuses = getattr(encoder, "handle_unknown", "ignore") == "error"
        atom = Category(raw.column, tuple(categories), refuses)
        terms[atom] = np.vstack([looked_up, unknown])
    return Table([None] * len(base), terms, base)


def _encode_again(
    encoder: Any, table: Table, k: int, first: list[Any]
) -> tuple[Category, FloatArray]:
    """Encode what another encoder has made of a column."""
    found = table.find_lookup(k)
    if found is None:
        raise UnsupportedError("encoding after arithmetic")
    rows = [[*first[:k], value, *first[k + 1 :]] for value in found[1]]
    try:
        return found[0], _encode(encoder, rows)
    except ValueError as error:
        raise UnsupportedError(str(error)) from error


def _encode(encoder: Any, rows: list[list[Any]]) -> FloatArray:
    numeric = all(known.dtype.kind in "biuf" for known in encoder.categories_)
    probe = np.array(rows, dtype=float if numeric else object)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
        encoded = encoder.transform(probe)
    return np.asarray(encoded.toarray() if issparse(encoded) else encoded, dtype=float)


def _encode_unknown(encoder: Any, first: list[Any], k: int, base: Any) -> FloatArray:
    """Encode a value that is no category: NaN where the encoder would raise."""
    if getattr(encoder, "handle_unknown", "ignore") == "error":
        return np.full(len(base), np.nan)
    known = encoder.categories_[k]
    present = [value for value in known if not is_missing(value)]
    numeric = known.dtype.kind in "biuf"
    unknown = max(present, default=0) + 1.0 if numeric else "\0 no category"
    return _encode(encoder, [[*first[:k], unknown, *first[k + 1 :]]])[0] - base


def _apply_standard(scaler: StandardScaler, table: Table) -> Table:
    center = scaler.mean_ if scaler.with_mean else None
    return _center(table, center, scaler.scale_, casts=True)


def _center(table: Table, center: Any, scale: Any, casts: bool = False) -> Table:
    """Subtract, then divide; None leaves out the one or the other."""
    steps = Step(np.subtract, center, casts), Step(np.divide, scale, casts)
    return table.scale(*(step for step in steps if step.operand is not None))


def _apply_min_max(scaler: MinMaxScaler, table: Table) -> Table:
    if scaler.clip:
        # What is below 0 and above 1, say, once it is scaled.
        ends = np.array(scaler.feature_range)[:, None]
        table = table.clip(*((ends - scaler.min_) / scaler.scale_))
    return table.scale(Step(np.multiply, scaler.scale_), Step(np.add, scaler.min_))


def _apply_max_abs(scaler: MaxAbsScaler, table: Table) -> Table:
    if scaler.clip:
        table = table.clip(-scaler.scale_, scaler.scale_)
    return _center(table, None, scaler.scale_)


def _apply_pca(pca: PCA, table: Table) -> Table:
    matrix = pca.components_.T
    if pca.whiten:
        spread = np.sqrt(pca.explained_variance_)
        matrix = matrix / np.maximum(spread, np.finfo(spread.dtype).eps)
    return table.multiply(matrix, -pca.mean_ @ matrix)


def _apply_function(transformer: FunctionTransformer, table: Table) -> Table:
    """Skip a function that only casts, such as to float32 before a network."""
    if transformer.func is None:
        return table
    probe = np.random.RandomState(0).normal(size=(40, table.width))
    probe *= np.logspace(-8, 8, 40)[:, None]
    transformer = copy.copy(transformer)
    vars(transformer).pop("feature_names_in_", None)
    try:
        result = np.asarray(transformer.transform(probe), dtype=float)
    except Exception as error:
        raise UnsupportedError(f"FunctionTransformer: {error}") from error
    if result.shape != probe.shape or not np.allclose(result, probe, 1e-6, 0):
        raise UnsupportedError("FunctionTransformer")
    return table


_APPLY: tuple[tuple[Any, Any], ...] = (
    (Pipeline, lambda pipe, table: _apply_steps([s for _, s in pipe.steps], table)),
    (ColumnTransformer, _apply_columns),
    (FeatureUnion, _apply_union),
    (SimpleImputer, _apply_imputer),
    ((OneHotEncoder, OrdinalEncoder, TargetEncoder), _apply_encoder),
    (SelectorMixin, lambda selector, table: table.select(selector.get_support())),
    (StandardScaler, _apply_standard),
    (MinMaxScaler, _apply_min_max),
    (MaxAbsScaler, _apply_max_abs),
    (RobustScaler, lambda scaler, table: _center(table, scaler.center_, scaler.scale_)),
    (PCA, _apply_pca),
    (TruncatedSVD, lambda svd, table: table.multiply(svd.components_.T)),
    (FunctionTransformer, _apply_function),
)
