"""The tutorial this package grew from, repeated over seeds: twelve networks into one.

5,000 rows drawn by `make_classification`, 20% held out, standardised. The teacher
is a soft vote of twelve `MLPClassifier((256, 128, 64))`, read in two ways: with
scikit-learn's defaults, which train until the loss no longer falls (about 50
epochs), and each stopped early, which leaves hardly any advantage in accuracy over
the better of the students on hard labels. Both are shown. The student is one
`MLPClassifier((64, 32))`, stopped early. The tutorial reported 53.8% of the advantage
in accuracy at 160 times fewer parameters, on one seed. Here: four data seeds (rows
and split), ten student seeds each, one teacher a data seed. The student learns the
training rows alone, without synthetic ones (`quality.py` has those).

Hard labels are given twice: stopped early, and for as many epochs as the distilled
student took. The advantage is the teacher's lead over the better of the two by its
mean, and the share recovered is a ratio of means; nan where that lead is within a
standard error. The package's temperature and clipping were chosen on other data
seeds (10, 11).

    python -m benchmarks.quality.tutorial            # a quarter of an hour on 2 cores
    python -m benchmarks.quality.tutorial --smoke
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier

from .._measure import count_weights, fit_for_epochs, fit_quietly, n_bytes, score
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, show, sort_like, spread

FOLDER = Path(__file__).parent
TEACHER_KEYS, STUDENT_KEYS = ("reading", "data_seed"), ("reading", "data_seed", "seed")
METRICS = ("accuracy", "log_loss")
#: Settings of the teacher's networks.
READINGS: dict[str, dict] = {
    "scikit-learn's defaults": {},
    "each network stopped early": {"early_stopping": True},
}
HARD = ("hard, stopped early", "hard, equal updates")
PLAIN = {"augmenter": None, "calibrate": False}
DISTILLED = {
    "distilled, training rows": PLAIN,
    "distilled, temperature=1": {**PLAIN, "temperature": 1.0},
}


@dataclass(frozen=True)
class Size:
    """How much is run."""

    data_seeds: tuple[int, ...] = (42, 0, 1, 2)
    student_seeds: tuple[int, ...] = tuple(range(10))
    n_samples: int = 5000
    n_members: int = 12
    layers: tuple[int, ...] = (256, 128, 64)


SMOKE = Size((42,), (0, 1), 500, 2, (16, 8))


def draw_rows(seed: int, n_samples: int):
    """Training and held-out rows, standardised by the training rows."""
    X, y = make_classification(
        n_samples, n_features=20, n_informative=10, n_redundant=5, random_state=seed
    )
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=seed
    )
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


def make_teacher(reading: str, size: Size) -> VotingClassifier:
    """Fixed seeds, so that `memory` recognises the teacher."""
    members = [
        (f"mlp{k}", MLPClassifier(size.layers, random_state=k, **READINGS[reading]))
        for k in range(size.n_members)
    ]
    return VotingClassifier(members, voting="soft")


def make_student(seed: int) -> MLPClassifier:
    return MLPClassifier((64, 32), early_stopping=True, max_iter=300, random_state=seed)


def fit_teacher(reading: str, data_seed: int, size: Size, memory: str) -> list[dict]:
    """Fill the cache with one data seed's teacher, and describe it."""
    X_train, X_test, y_train, y_test = draw_rows(data_seed, size.n_samples)
    for settings in DISTILLED.values():
        distilled = DistilledClassifier(
            make_teacher(reading, size), make_student(0), **settings, memory=memory
        )
        fit_quietly(distilled, X_train, y_train)
    teacher, student = distilled.teacher_, distilled.student_
    record = {
        **{"reading": reading, "data_seed": data_seed},
        **score(teacher, X_test, y_test),
        "parameters": sum(count_weights(member) for member in teacher.estimators_),
        "bytes": n_bytes(teacher),
        "student_parameters": count_weights(student),
        "student_bytes": n_bytes(student),
    }
    return [record]


def fit_students(
    reading: str, data_seed: int, seed: int, size: Size, memory: str
) -> list[dict]:
    """One student seed: on hard labels twice, and distilled."""
    X_train, X_test, y_train, y_test = draw_rows(data_seed, size.n_samples)
    fitted = {}
    for name, settings in DISTILLED.items():
        distilled = DistilledClassifier(
            make_teacher(reading, size),
            make_student(seed),
            **settings,
            memory=memory,
            random_state=seed,
        )
        fitted[name] = fit_quietly(distilled, X_train, y_train).student_
    n_epochs = fitted["distilled, training rows"].n_iter_
    fitted[HARD[0]] = fit_quietly(make_student(seed), X_train, y_train)
    fitted[HARD[1]] = fit_for_epochs(make_student(seed), n_epochs, X_train, y_train)
    return [
        {
            **{"reading": reading, "data_seed": data_seed, "seed": seed},
            "model": name,
            "epochs": model.n_iter_,
            **score(model, X_test, y_test),
        }
        for name, model in fitted.items()
    ]


def summarise(teacher: dict, runs: list[dict]) -> dict:
    """Means and spreads of one data seed, and what was recovered of the advantage."""
    by_model = group(runs, "model")
    models = {
        name: {
            key: spread(run[key] for run in by_model[(name,)])
            for key in (*METRICS, "epochs")
        }
        for name in (*HARD, *DISTILLED)
    }
    summary = {"data_seed": teacher["data_seed"], "teacher": teacher, "models": models}
    n_seeds = len(group(runs, "seed"))
    for metric in METRICS:
        sign = 1 if metric == "accuracy" else -1
        best = max(HARD, key=lambda name: sign * models[name][metric]["mean"])
        hard = sign * models[best][metric]["mean"]
        summary[f"{metric} noise"] = models[best][metric]["sd"] / n_seeds**0.5
        summary[f"{metric} advantage"] = sign * teacher[metric] - hard
        summary[f"{metric} gain"] = {
            name: sign * models[name][metric]["mean"] - hard for name in DISTILLED
        }
    return summary


def share(summaries: list[dict], name: str, metric: str) -> float:
    """Gains over advantages, both summed over the data seeds.

    No share where the advantage is within a standard error of the hard-label mean.
    """
    gain = sum(summary[f"{metric} gain"][name] for summary in summaries)
    advantage = sum(summary[f"{metric} advantage"] for summary in summaries)
    noise = sum(summary[f"{metric} noise"] ** 2 for summary in summaries) ** 0.5
    return gain / advantage if advantage > noise else float("nan")


def score_rows(summary: dict) -> list[list]:
    teacher, seed = summary["teacher"], summary["data_seed"]
    rows = [[seed, "teacher", *(f"{teacher[m]:.4f}" for m in METRICS), "", "", ""]]
    for name, model in summary["models"].items():
        row = [seed, name, *(show(model[metric]) for metric in METRICS)]
        row.append(f"{model['epochs']['mean']:.0f}")
        if name in DISTILLED:
            row += [f"{share([summary], name, metric):.1%}" for metric in METRICS]
        rows.append([*row, "", ""][:7])
    return rows


def pooled_rows(summaries: list[dict]) -> list[list]:
    rows = []
    for name in ("teacher", *HARD, *DISTILLED):
        row = [name]
        for metric in METRICS:
            of_seed = [s["models"].get(name, s["teacher"])[metric] for s in summaries]
            means = [v["mean"] if isinstance(v, dict) else v for v in of_seed]
            row.append(f"{np.mean(means):.4f}")
        if name in DISTILLED:
            row += [f"{share(summaries, name, metric):.1%}" for metric in METRICS]
        rows.append([*row, "", ""][:5])
    return rows


def size_rows(teacher: dict) -> list[list]:
    rows = []
    for key in ("parameters", "bytes"):
        large, small = teacher[key], teacher[f"student_{key}"]
        rows.append([key, f"{large:,}", f"{small:,}", f"{large / small:.0f}"])
    return rows


def print_reading(reading: str, teachers: list[dict], runs: list[dict]) -> None:
    """The tables of one reading of the teacher."""
    print(f"\n### Teacher: {reading}")
    by_seed = group(runs, "data_seed")
    summaries = [summarise(t, by_seed[t["data_seed"],]) for t in teachers]
    recovered = ["accuracy recovered", "log loss recovered"]
    print_table(
        f"Held-out rows, {len(group(runs, 'seed'))} student seeds",
        ["data seed", "model", "accuracy", "log loss", "epochs", *recovered],
        [row for summary in summaries for row in score_rows(summary)],
    )
    print_table(
        f"Mean of {len(teachers)} data seeds",
        ["model", "accuracy", "log loss", *recovered],
        pooled_rows(summaries),
    )
    print_table(
        "Size", ["", "teacher", "student", "times smaller"], size_rows(teachers[0])
    )


def main() -> None:
    args = read_arguments(
        __doc__,
        jobs={"type": int, "default": 2},
        memory={"help": "folder that keeps the fitted teachers"},
    )
    size = SMOKE if args.smoke else Size()
    path = None if args.smoke else FOLDER
    teachers = Results(path and path / "tutorial_teachers.csv", TEACHER_KEYS)
    students = Results(path and path / "tutorial.csv", STUDENT_KEYS)
    with TemporaryDirectory() as temporary:
        settings = {"size": size, "memory": args.memory or temporary}
        for results, keys, fit, seeds in (
            (teachers, TEACHER_KEYS, fit_teacher, ()),
            (students, STUDENT_KEYS, fit_students, (size.student_seeds,)),
        ):
            values = product(READINGS, size.data_seeds, *seeds)
            runs = [dict(zip(keys, run, strict=True)) for run in values]
            missing = find_missing(results, runs, args)
            make_runs(results, missing, fit, args.jobs, **settings)
    by_reading = group(students.records, "reading")
    some = sort_like(teachers.records, reading=READINGS, data_seed=size.data_seeds)
    for (reading,), found in group(some, "reading").items():
        print_reading(reading, found, by_reading[reading,])


if __name__ == "__main__":
    main()
