"""What the package's defaults keep of a teacher, on ten public data sets.

`DistilledClassifier(teacher, student)` with nothing else set, against the same
student trained on the labels. Training rows are capped (`--rows`); five seeds of
split, teacher and student.

- Teachers: "vote" is a soft vote of LightGBM, a random forest, extra trees and a
  network; "networks" a soft vote of twelve networks; "boosted" one LightGBM, its
  settings chosen on the training rows by a random search (6 draws, 3 folds; its time
  is not counted anywhere).
- Students: "mlp" 64-32 behind scaling, "lightgbm" 50 trees of 15 leaves, "tree" of
  depth 6, "logistic", and "default" (student=None).
- Baselines: hard labels, as the student is; networks also stopped early, and for as
  many updates as the distilled one made. "hard" is the best of them a data set, by
  the mean of the metric in question. For "mlp" also: label smoothing (.9 for the true
  class), and synthetic rows labelled with the teacher's argmax, learned for as many
  updates (at least 20,000) or stopped early. A tree on hard labels serves
  probabilities of 0, whose log loss is what a floor of 2e-16 makes of it.
- "calibrated" is the teacher with the scalar of the fitted object (`calibration_`,
  from rows the teacher did not see) on its clipped probabilities: p^(1/t), normalised.
- The share of the advantage is a ratio of sums over the data sets where the teacher
  beats "hard" by more than a standard error over the seeds, with a bootstrap
  interval over those sets. Wins and losses are by more than a standard error of
  the paired difference, over all sets.
- Times are CPU seconds of one thread. A student's fit is timed on an empty cache
  (whose writing counts) if it is the first of its group; for the others the time
  spent on teachers is reported apart. The time ratio, of the first only, is the whole
  fit over that of the teacher plus the student on hard labels, a network at equal
  updates.
- The default student is also served by ONNX Runtime, one row at a time on one thread:
  the median of 1,900 calls, and the file's bytes.

Results are merged into quality.json run by run, and what is there is not repeated, so
that the whole can be made in pieces; `quality.png` needs matplotlib.

    python benchmarks/quality.py                                  # hours
    python benchmarks/quality.py --teachers vote --data magic letter --students mlp
    python benchmarks/quality.py --smoke                          # writes nothing
"""

from __future__ import annotations

from _common import (
    FOLDER,
    fit_for_epochs,
    last_step,
    n_bytes,
    read_arguments,
    write_json,
)

# isort: split
import json
import os
import sys
import traceback
import warnings
from dataclasses import asdict
from itertools import product
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
from _data import DATA, Offline, split_data
from _onnx_serving import serve_onnx
from _quality_models import (
    SMOKE,
    STUDENTS,
    TEACHERS,
    Size,
    Split,
    count_passes,
    count_updates,
    make_student,
    make_teacher,
)
from _quality_report import draw_plot, print_report
from joblib import Memory, Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier
from skdistill._frames import concat_rows
from skdistill._labels._calibration import fit_calibration
from skdistill._labels._soft_targets import class_priors, clip_probabilities, soften
from skdistill.metrics import (
    agreement_score,
    expected_calibration_error,
)
from skdistill.transfer import Munge
from skdistill.transfer._transfer_set import choose_ratio, count_rows


class TimedMemory:
    """A cache that counts the CPU time spent inside of what it caches."""

    def __init__(self, folder: str):
        self._memory = Memory(folder, verbose=0)
        self.seconds = 0.0

    def cache(self, function, **settings):
        cached = self._memory.cache(function, **settings)

        def timed(*args, **kwargs):
            start = process_time()
            try:
                return cached(*args, **kwargs)
            finally:
                self.seconds += process_time() - start

        return timed


def fit_timed(model, X, y, **params) -> tuple[Any, float]:
    """Fit in place, silently; return the model and its CPU seconds."""
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, **params)
    return model, process_time() - start


def measure(proba, split: Split, teacher_proba) -> dict[str, float]:
    """Every figure of one model on the test rows."""
    classes, y = split.classes, split.y_test
    proba = proba / proba.sum(axis=1, keepdims=True)
    scores = proba[:, 1] if len(classes) == 2 else proba
    ovr = {} if len(classes) == 2 else {"multi_class": "ovr", "labels": classes}
    figures = {
        "accuracy": accuracy_score(y, classes[proba.argmax(axis=1)]),
        "log_loss": log_loss(y, proba, labels=classes),
        "auc": roc_auc_score(y, scores, **ovr),
        "ece": expected_calibration_error(y, proba, labels=classes),
        "agreement": agreement_score(teacher_proba, proba),
    }
    return {name: round(float(value), 6) for name, value in figures.items()}


def calibrate(proba, scalar: float, split: Split):
    """Clip as the package does, since the scalar was fitted on clipped labels."""
    prior = class_priors(split.codes, len(split.classes), None)
    return soften(clip_probabilities(proba, prior), scalar)


def fit_scalar(teacher, split: Split) -> float:
    """The scalar, where no fitted object kept one: it learned true labels alone."""
    tried, judges = train_test_split(
        np.arange(len(split.y_train)),
        test_size=0.2,
        stratify=split.y_train,
        random_state=split.seed,
    )
    X, y = split.X_train, split.y_train

    def take(rows):
        return X[rows] if isinstance(X, np.ndarray) else X.iloc[rows]

    model, _ = fit_timed(clone(teacher), take(tried), y[tried])
    proba = calibrate(model.predict_proba(take(judges)), 1.0, split)
    return fit_calibration(proba, split.codes[judges]).temperature


def distil(teacher, name: str, split: Split, memory: TimedMemory):
    """The defaults, and where the time went."""
    distilled = DistilledClassifier(
        teacher, make_student(name, split), random_state=split.seed, memory=memory
    )
    memory.seconds = 0.0
    distilled, seconds = fit_timed(distilled, split.X_train, split.y_train)
    chosen = next((t["learns from"] for t in distilled.pilots_ if t["chosen"]), None)
    facts = {
        "learned": chosen,
        "pilots": {
            pilot["learns from"]: round(pilot["log_loss"], 4)
            for pilot in distilled.pilots_
        },
        "synthetic": distilled.augmenter_ is not None,
        "alpha": distilled.alpha_,
        "temperature": distilled.temperature_,
        "memorization": distilled.memorization_,
        "bytes": n_bytes(distilled.student_),
    }
    if name == "default":
        facts |= serve_onnx(distilled, split.X_test)
    times = {"fit": seconds, "without teachers": seconds - memory.seconds}
    return distilled, facts, times


def fit_hard(name: str, distilled, split: Split) -> tuple[dict[str, Any], dict]:
    """The student on hard labels, each way, and the times."""
    student = make_student(name, split)
    if student is None:
        # Clones of what was built for these columns, seeds included.
        student = clone(distilled.student_)
    fitted, seconds = {}, {}
    rows = split.X_train, split.y_train
    fitted["as is"], seconds["as is"] = fit_timed(clone(student), *rows)
    learned = last_step(distilled.student_)
    if not isinstance(learned, MLPClassifier):
        return fitted, seconds
    if not learned.early_stopping:
        stopped = clone(student)
        last_step(stopped).set_params(early_stopping=True)
        fitted["stopped early"], seconds["stopped early"] = fit_timed(stopped, *rows)
    n_passes = count_passes(count_updates(learned), len(split.y_train), learned)
    start = process_time()
    fitted["equal updates"] = fit_for_epochs(student, n_passes, *rows)
    seconds["equal updates"] = process_time() - start
    return fitted, seconds


def fit_smoothed(split: Split):
    """.9 for the true class, the rest shared among the others."""
    n_classes = len(split.classes)
    targets = np.full((len(split.y_train), n_classes), 0.1 / (n_classes - 1))
    targets[np.arange(len(targets)), split.codes] = 0.9
    model = DistilledClassifier(
        student=make_student("mlp", split),
        augmenter=None,
        calibrate=False,
        temperature=1,
        random_state=split.seed,
    )
    return fit_timed(model, split.X_train, split.y_train, teacher_proba=targets)[0]


def fit_argmax(distilled, split: Split) -> dict[str, Any]:
    """Real rows with their labels, synthetic ones with the teacher's decision."""
    ratio = choose_ratio(True, len(split.classes))
    n_made = count_rows(len(split.y_train), "auto", ratio)
    made = Munge().fit(split.X_train).sample(n_made, random_state=split.seed)
    X = concat_rows(split.X_train, made)
    y = np.concatenate([split.y_train, distilled.teacher_.predict(made)])
    learned = last_step(distilled.student_)
    n_updates = max(count_updates(learned), split.size.min_updates)
    n_passes = count_passes(n_updates, len(y), learned)
    stopped = make_student("mlp", split)
    last_step(stopped).set_params(early_stopping=True)
    return {
        "argmax": fit_for_epochs(make_student("mlp", split), n_passes, X, y),
        "argmax, stopped early": fit_timed(stopped, X, y)[0],
    }


def run_student(teacher, name: str, split: Split, memory: TimedMemory, first: bool):
    """One record, but for the calibrated teacher."""
    distilled, facts, times = distil(teacher, name, split, memory)
    labels = distilled.teacher_.predict_proba(split.X_test)

    def read(model):
        return measure(model.predict_proba(split.X_test), split, labels)

    hard, seconds = fit_hard(name, distilled, split)
    record = {
        **facts,
        "teacher": measure(labels, split, labels),
        "distilled": read(distilled),
        "hard": {variant: read(model) for variant, model in hard.items()},
    }
    times["hard"] = seconds
    if name == "mlp":
        record["label smoothing"] = read(fit_smoothed(split))
        argmax = fit_argmax(distilled, split)
        record |= {way: read(model) for way, model in argmax.items()}
    if first:
        again = clone(distilled.teacher_)
        _, times["teacher"] = fit_timed(again, split.X_train, split.y_train)
        alone = times["teacher"] + seconds.get("equal updates", seconds["as is"])
        times["ratio"] = times["fit"] / alone
    return {**record, "times": times}, distilled, labels


def run_group(teacher_name: str, split: Split, students: list[str]) -> dict[str, dict]:
    """The students of one teacher, which is fitted for the first of them."""
    records, scalar = {}, None
    teacher = make_teacher(teacher_name, split)
    with TemporaryDirectory() as folder:
        memory = TimedMemory(folder)
        for name in students:
            first = name == students[0]
            record, distilled, labels = run_student(teacher, name, split, memory, first)
            records[name] = record
            scalar = distilled.calibration_ or scalar
    scalar = scalar or fit_scalar(distilled.teacher_, split)
    calibrated = measure(calibrate(labels, scalar, split), split, labels)
    for record in records.values():
        record.update(
            calibrated=calibrated,
            calibration=scalar,
            n_classes=len(split.classes),
            n_train=len(split.y_train),
            n_test=len(split.y_test),
        )
    return records


def draw_split(data: str, seed: int, rows: int):
    """Stands in where no wheel is at hand: two classes, twelve columns."""
    X, y = make_classification(3 * rows // 2, 12, n_informative=6, random_state=seed)
    return train_test_split(X, y, train_size=rows, stratify=y, random_state=seed)


def run_job(teacher: str, data: str, seed: int, students, rows: int, size: Size, drawn):
    """What one process does; keyed as in quality.json."""
    load = draw_split if drawn else split_data
    split = Split(data, seed, *load(data, seed, rows), size)
    records = run_group(teacher, split, students)
    parts = {"teacher": teacher, "data": data, "seed": seed, "rows": rows}
    return {
        make_key(teacher, data, name, seed, rows): {
            "of": {**parts, "student": name},
            **record,
        }
        for name, record in records.items()
    }


def make_key(teacher: str, data: str, student: str, seed: int, rows: int) -> str:
    return f"{teacher}/{data}/{student}/{seed}/{rows}"


def read_runs() -> dict[str, dict]:
    """The runs made before."""
    path = FOLDER / "quality.json"
    return json.loads(path.read_text())["runs"] if path.exists() else {}


def find_readable(names: list[str]) -> list[str]:
    """The data sets at hand; fetched here, before processes would race for them."""
    readable = []
    for name in names:
        try:
            DATA[name]()
            readable.append(name)
        except Offline as reason:
            print(f"{name} is left out: {reason}")
    return readable


def plan_jobs(args, runs: dict[str, dict], data: list[str]) -> list[tuple]:
    """One job a teacher, data set and seed, for the students that are missing."""
    jobs, skipped = [], {} if args.again else runs
    # By seeds: an unfinished run has seen every data set.
    for teacher, seed, name in product(args.teachers, args.seeds, data):
        missing = [
            student
            for student in STUDENTS
            if student in args.students
            and make_key(teacher, name, student, seed, args.rows) not in skipped
        ]
        if missing:
            jobs.append((teacher, name, seed, missing, args.rows))
    return jobs


def try_job(*job) -> tuple[dict[str, dict], str]:
    """Records, or what went wrong: one failure must not end a run of hours."""
    try:
        return run_job(*job), ""
    except Exception:
        return {}, f"{job[:5]}\n{traceback.format_exc()}"


def run_jobs(jobs: list[tuple], n_jobs: int, runs: dict[str, dict]) -> list[str]:
    """Merge what each job brings into quality.json at once; return the failures."""
    size, failures = Size(), []
    parallel = Parallel(n_jobs, return_as="generator_unordered")
    tasks = (delayed(try_job)(*job, size, False) for job in jobs)
    for done, (records, failure) in enumerate(parallel(tasks), 1):
        print(f"{done} of {len(jobs)}: {failure or ', '.join(records)}", flush=True)
        failures += [failure] * bool(failure)
        # Another piece may have been written meanwhile.
        runs.update({**read_runs(), **records})
        write_runs(runs)
    return failures


def write_runs(runs: dict[str, dict], **parts) -> None:
    """Write all runs, sorted, whatever order they came in."""
    parts = {"size": asdict(Size()), **parts, "runs": dict(sorted(runs.items()))}
    write_json("quality.json", parts)


def run_smoke() -> None:
    """One small group of everything, without a network."""
    os.environ["PIP_NO_INDEX"] = "1"
    drawn = not find_readable(["magic"])
    if drawn:
        print("Drawn data stand in.")
    runs: dict[str, dict] = {}
    for teacher in TEACHERS:
        students = STUDENTS if teacher == "vote" else ("mlp", "tree")
        name = "drawn" if drawn else "magic"
        runs |= run_job(teacher, name, 0, students, 600, SMOKE, drawn)
    print_report(runs, n_resamples=100)


def main() -> None:
    args = read_arguments(
        __doc__,
        teachers={"nargs": "+", "choices": TEACHERS, "default": TEACHERS},
        students={"nargs": "+", "choices": STUDENTS, "default": STUDENTS},
        data={"nargs": "+", "choices": list(DATA), "default": list(DATA)},
        seeds={"nargs": "+", "type": int, "default": list(range(5))},
        rows={"type": int, "default": 4000, "help": "most training rows"},
        jobs={"type": int, "default": 2, "help": "processes; 0 only reports"},
        again={"action": "store_true", "help": "repeat what is in quality.json"},
    )
    if args.smoke:
        run_smoke()
        return
    runs, failures = read_runs(), []
    if args.jobs:
        jobs = plan_jobs(args, runs, find_readable(args.data))
        failures = run_jobs(jobs, args.jobs, runs)
    shown = {key: run for key, run in runs.items() if run["of"]["rows"] == args.rows}
    write_runs(runs, summary=print_report(shown))
    draw_plot(shown, FOLDER / "quality.png")
    if failures:
        sys.exit("\n".join([f"{len(failures)} jobs failed:", *failures]))


if __name__ == "__main__":
    main()
