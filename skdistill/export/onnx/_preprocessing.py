"""Preprocessing as arithmetic: what every output column is made of.

Imputation, scaling, encoding, selection and projection, alone or in nested
pipelines and column transformers, all make columns of one form: a constant, plus
multiples of (imputed) numbers, of "is missing" flags, and of values looked up by
level. Such a table multiplied by the first layer of a network is a table again, so
that all of it folds into that layer.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
from ..._typing import FloatArray


class UnsupportedError(Exception):
    """A transformer that is no arithmetic of this form."""


@dataclass(frozen=True)
class Value:
    """A column of numbers; `fill` stands in for NaN, None leaves it."""

    column: int
    fill: float | None = None


@dataclass(frozen=True)
class Missing:
    """1 where the column is NaN, else 0."""

    column: int


@dataclass(frozen=True)
class Level:
    """Indicators of the levels of a column, and last of any other value.

    A level of None is a missing value.
    """

    column: int
    levels: tuple[Any, ...]


Atom = Value | Missing | Level


@dataclass(frozen=True)
class Raw:
    """An input column, untouched but for missing values."""

    column: int
    fill: Any = None


@dataclass(frozen=True)
class Table:
    """Columns as sums of terms.

    Attributes
    ----------
    raw : list of (Raw or None)
        For each column, the input column it still is.
    terms : dict of Atom to ndarray of shape (size of the atom, width)
        What each atom contributes to each column.
    constant : ndarray of shape (width,)
        What is added to each column.
    """

    raw: list[Raw | None]
    terms: dict[Atom, FloatArray]
    constant: FloatArray

    @property
    def width(self) -> int:
        return len(self.constant)

    def select(self, columns: Any) -> Table:
        """Return some of the columns, in the order given."""
        kept = np.arange(self.width)[columns]
        terms = {atom: part[:, kept] for atom, part in self.terms.items()}
        return Table(
            [self.raw[k] for k in kept],
            {atom: part for atom, part in terms.items() if part.any()},
            self.constant[kept],
        )

    def multiply(self, matrix: FloatArray, constant: Any = 0.0) -> Table:
        """Return the columns times a matrix plus a constant."""
        if any(raw is not None and not self._is_number(k) for k, raw in self._raws()):
            raise UnsupportedError("arithmetic on strings")
        terms = {atom: part @ matrix for atom, part in self.terms.items()}
        total = self.constant @ matrix + constant
        return Table([None] * matrix.shape[1], terms, total)

    def scale(self, factor: Any, constant: Any) -> Table:
        """Return each column times its factor plus a constant."""
        factor = np.broadcast_to(np.asarray(factor, dtype=float), (self.width,))
        return self.multiply(np.diag(factor), constant)

    def _raws(self) -> list[tuple[int, Raw | None]]:
        return list(enumerate(self.raw))

    def _is_number(self, k: int) -> bool:
        return any(part[:, k].any() for part in self.terms.values())


def start_table(n_columns: int, texts: frozenset[int]) -> Table:
    """Return the input columns themselves."""
    terms: dict[Atom, FloatArray] = {}
    for k in range(n_columns):
        if k not in texts:
            terms[Value(k)] = np.eye(1, n_columns, k)
    return Table([Raw(k) for k in range(n_columns)], terms, np.zeros(n_columns))


def join_tables(tables: Sequence[Table]) -> Table:
    """Put tables side by side."""
    width = sum(table.width for table in tables)
    terms: dict[Atom, FloatArray] = {}
    start = 0
    for table in tables:
        stop = start + table.width
        for atom, part in table.terms.items():
            whole = terms.setdefault(atom, np.zeros((len(part), width)))
            whole[:, start:stop] = part
        start = stop
    return Table(
        [raw for table in tables for raw in table.raw],
        terms,
        np.concatenate([table.constant for table in tables] or [np.zeros(0)]),
    )


def transform_table(transformer: Any, table: Table) -> Table:
    """Apply a fitted transformer to a table.

    Raises
    ------
    UnsupportedError
        Its output is no arithmetic of this form.
    """
    if transformer is None or transformer == "passthrough":
        return table
    for kinds, apply in _APPLY:
        if isinstance(transformer, kinds):
            return apply(transformer, table)
    raise UnsupportedError(type(transformer).__name__)


def _apply_pipeline(pipeline: Pipeline, table: Table) -> Table:
    for _, step in pipeline.steps:
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


def _find_columns(columns: Any, names: list[str], width: int) -> NDArray[np.intp]:
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
    if not is_missing(imputer.missing_values):
        raise UnsupportedError("SimpleImputer of another value than NaN")
    if any(raw is None or raw.fill is not None for raw in table.raw):
        raise UnsupportedError("imputation after arithmetic")
    filled = [
        _fill_column(raw, fill)
        for raw, fill in zip(table.raw, imputer.statistics_, strict=True)
        # Columns that were all missing are left out.
        if not is_missing(fill)
    ]
    if imputer.indicator_ is not None:
        filled += [_flag_column(table.raw[k]) for k in imputer.indicator_.features_]
    return join_tables(filled)


def _fill_column(raw: Any, fill: Any) -> Table:
    if isinstance(fill, str):
        return Table([Raw(raw.column, fill)], {}, np.zeros(1))
    value: Atom = Value(raw.column, float(fill))
    return Table([Raw(raw.column, float(fill))], {value: np.ones((1, 1))}, np.zeros(1))


def _flag_column(raw: Any) -> Table:
    return Table([None], {Missing(raw.column): np.ones((1, 1))}, np.zeros(1))


def _apply_encoder(encoder: Any, table: Table) -> Table:
    """Ask the encoder itself what each level becomes, all else at its first level."""
    encoder = copy.copy(encoder)
    # Probed with arrays, about whose missing names it would warn.
    vars(encoder).pop("feature_names_in_", None)
    vars(encoder).pop("_sklearn_output_config", None)
    first = [levels[0] for levels in encoder.categories_]
    base = _encode(encoder, [first])[0]
    terms: dict[Atom, FloatArray] = {}
    for k, (raw, levels) in enumerate(zip(table.raw, encoder.categories_, strict=True)):
        if raw is None:
            raise UnsupportedError("encoding after arithmetic")
        rows = [[*first[:k], level, *first[k + 1 :]] for level in levels]
        looked_up = _encode(encoder, rows) - base
        unseen = _encode_unseen(encoder, first, k, base)
        atom = Level(raw.column, tuple(_fold_fill(raw, levels)))
        if len(atom.levels) > len(levels):
            # A missing value is served as what the imputer fills in.
            match = np.flatnonzero([level == raw.fill for level in levels])
            filled = looked_up[match[0]] if len(match) else unseen
            looked_up = np.vstack([looked_up, filled])
        terms[atom] = np.vstack([looked_up, unseen])
    return Table([None] * len(base), terms, base)


def _fold_fill(raw: Raw, levels: Any) -> list[Any]:
    known = [None if is_missing(level) else level for level in levels]
    return known if raw.fill is None else [*known, None]


def _encode(encoder: Any, rows: list[list[Any]]) -> FloatArray:
    numeric = all(levels.dtype.kind in "biuf" for levels in encoder.categories_)
    probe = np.array(rows, dtype=float if numeric else object)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
        encoded = encoder.transform(probe)
    return np.asarray(encoded.toarray() if issparse(encoded) else encoded, dtype=float)


def _encode_unseen(encoder: Any, first: list[Any], k: int, base: Any) -> FloatArray:
    """Where the encoder would raise on a level it never saw: NaN, a model can't."""
    # TargetEncoder has no such parameter, and takes the mean of the target.
    if getattr(encoder, "handle_unknown", "ignore") == "error":
        return np.full(len(base), np.nan)
    levels = encoder.categories_[k]
    present = [level for level in levels if not is_missing(level)]
    numeric = levels.dtype.kind in "biuf"
    unseen = max(present, default=0) + 1.0 if numeric else "\0 a level never seen"
    return _encode(encoder, [[*first[:k], unseen, *first[k + 1 :]]])[0] - base


def _apply_selector(selector: Any, table: Table) -> Table:
    return table.select(selector.get_support())


def _apply_standard(scaler: StandardScaler, table: Table) -> Table:
    scale = 1.0 if scaler.scale_ is None else scaler.scale_
    mean = 0.0 if scaler.mean_ is None or not scaler.with_mean else scaler.mean_
    return table.scale(1.0 / np.asarray(scale), -np.asarray(mean) / scale)


def _apply_min_max(scaler: MinMaxScaler, table: Table) -> Table:
    if scaler.clip:
        raise UnsupportedError("MinMaxScaler(clip=True)")
    return table.scale(scaler.scale_, scaler.min_)


def _apply_max_abs(scaler: MaxAbsScaler, table: Table) -> Table:
    if getattr(scaler, "clip", False):
        raise UnsupportedError("MaxAbsScaler(clip=True)")
    return table.scale(1.0 / scaler.scale_, 0.0)


def _apply_robust(scaler: RobustScaler, table: Table) -> Table:
    scale = 1.0 if scaler.scale_ is None else scaler.scale_
    center = 0.0 if scaler.center_ is None else scaler.center_
    return table.scale(1.0 / np.asarray(scale), -np.asarray(center) / scale)


def _apply_pca(pca: PCA, table: Table) -> Table:
    matrix = pca.components_.T
    if pca.whiten:
        spread = np.sqrt(pca.explained_variance_)
        matrix = matrix / np.maximum(spread, np.finfo(spread.dtype).eps)
    return table.multiply(matrix, -pca.mean_ @ matrix)


def _apply_svd(svd: TruncatedSVD, table: Table) -> Table:
    return table.multiply(svd.components_.T)


def _apply_function(transformer: FunctionTransformer, table: Table) -> Table:
    """Skip a function that only casts, such as to float32 before a network."""
    if transformer.func is None:
        return table
    probe = np.random.RandomState(0).normal(size=(40, table.width))
    probe *= np.logspace(-8, 8, 40)[:, None]
    transformer = copy.copy(transformer)
    vars(transformer).pop("feature_names_in_", None)
    try:
        result = np.asarray(transformer.transform(probe))
    except Exception as error:
        raise UnsupportedError(f"FunctionTransformer: {error}") from error
    if result.shape != probe.shape or not np.allclose(result, probe, 1e-6, 0):
        raise UnsupportedError("FunctionTransformer")
    return table


_APPLY: tuple[tuple[Any, Any], ...] = (
    (Pipeline, _apply_pipeline),
    (ColumnTransformer, _apply_columns),
    (FeatureUnion, _apply_union),
    (SimpleImputer, _apply_imputer),
    ((OneHotEncoder, OrdinalEncoder, TargetEncoder), _apply_encoder),
    (SelectorMixin, _apply_selector),
    (StandardScaler, _apply_standard),
    (MinMaxScaler, _apply_min_max),
    (MaxAbsScaler, _apply_max_abs),
    (RobustScaler, _apply_robust),
    (PCA, _apply_pca),
    (TruncatedSVD, _apply_svd),
    (FunctionTransformer, _apply_function),
)
