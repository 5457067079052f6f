"""What held-out rows choose among short pilots of the student ("auto").

Pilots learn nothing of the held-out rows, and are judged by their true labels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._labels._calibration import Calibration, fit_calibration
from .._labels._teacher import align
from .._outofcore import Chunks
from .._problem import Problem
from .._progress import raise_interrupts
from .._soft_data import split_rows
from .._students import (
    can_scale_logits,
    count_final_epochs,
    fit_student,
    learns_in_epochs,
    limit_epochs,
    refits_leaves,
    seed_torch,
)
from .._tasks import Shared, share_cores
from .._typing import FloatArray
from .._unseen import clip_labels
from ..transfer._transfer_set import TransferSet, count_rows, make_rows, take_part
from ._candidates import Candidate, soften_labels, soften_transfer_set, stops_early

#: Synthetic rows in a pilot: for each real one, or for networks, of which a row is
#: visited many times, a share of those in the final fit.
_PILOT_RATIO, _PILOT_SHARE = 2, 1 / 6

#: What a row costs the fit of an ensemble, if it labels a row at 1.
_FIT_COST = 10

#: Pilots on fewer rows cost next to nothing, and decide nothing.
_FEWEST = 100

#: Standard errors by which held-out rows must speak against what does no harm.
_CERTAIN = 2

#: A teacher that knows its own rows' labels by heart gives them back: in-sample
#: labels are then the true ones, and half of each is no other choice.
_BY_HEART = 0.999


def make_pilot_sets(
    problem: Problem, candidates: list[Candidate]
) -> tuple[list[TransferSet], list[Candidate]]:
    """Return the transfer sets of the pilots, and what there is to try.

    The first candidates have one each, in order. No held-out row is a parent. Of rows
    that no sampler can work on, what is left are the candidates that need none.
    """
    if problem.pilot_split is None or len(candidates) == 1:
        return [], candidates
    data = problem.take(problem.pilot_split[0])
    count = _count_pilot_rows(problem)
    unlabeled = problem.X_unlabeled
    if isinstance(unlabeled, Chunks):
        unlabeled = unlabeled.first
    try:
        made = [
            make_rows(
                clone(candidate.sampler),
                data.X,
                data.weight,
                unlabeled,
                count,
                problem.seeds.sampler,
            )
            for candidate in candidates
            if candidate.augmented
        ]
    except (TypeError, ValueError) as error:
        warnings.warn(
            'augmenter="auto" makes no synthetic rows, for these cannot be built on: '
            f"{error} Set augmenter=None to do without, or pass a sampler of your own.",
            UserWarning,
            stacklevel=_USER,
        )
        return [], [candidate for candidate in candidates if not candidate.augmented]
    return [rows for rows in made if rows is not None], candidates


def _count_pilot_rows(problem: Problem) -> int:
    assert problem.pilot_split is not None
    n_rows = len(problem.pilot_split[0])
    final = count_rows(n_rows, problem.n_synthetic, problem.ratio)
    if learns_in_epochs(problem.student):
        return max(1, round(_PILOT_SHARE * final))
    return min(final, _PILOT_RATIO * n_rows)


def drop_needless(
    candidates: list[Candidate], memorization: dict[str, float] | None
) -> list[Candidate]:
    """Leave out the blend where the teacher's own labels are the true ones."""
    if (
        memorization is None
        or memorization["accuracy_in_sample"] < _BY_HEART
        or memorization["entropy_in_sample"] > 0.1
    ):
        return candidates
    return [candidate for candidate in candidates if candidate.alpha in (0.0, 1.0)]


@dataclass(frozen=True)
class Pilot:
    """How a candidate did on the held-out rows.

    Attributes
    ----------
    candidate : Candidate
        What was learned.
    losses : ndarray of shape (n_rows,)
        Log loss of each row, in nats.
    hits : ndarray of bool of shape (n_rows,)
        Whether the label was right.
    proba : ndarray of shape (n_rows, n_classes)
        What the student said.
    to_end : bool
        Whether it learned all rows to try on, as long as it wanted.
    """

    candidate: Candidate
    losses: FloatArray
    hits: Any
    proba: FloatArray
    to_end: bool


def run_pilots(
    problem: Problem,
    candidates: list[Candidate],
    own: FloatArray,
    held_out: FloatArray,
    extra: list[tuple[TransferSet, FloatArray]],
    calibration: Calibration | None,
) -> list[Pilot]:
    """Fit one short student a candidate, and score it on the true labels held out.

    Parameters
    ----------
    problem : Problem
        What `fit` was given.
    candidates : list of Candidate
        What is tried.
    own, held_out : ndarrays
        Labels of the rows to try on, and of the rows to choose on.
    extra : list of pairs of TransferSet and ndarray
        Rows of the transfer sets, and their labels, for the first candidates.
    calibration : Calibration or None
        Of the labels.
    """
    assert problem.pilot_split is not None
    n_rows, n_visits = _share_out(problem, candidates)
    chosen = _draw_rows(problem, n_rows)
    work = problem.work
    given = Shared((problem, chosen, own, held_out, calibration, n_visits))
    n_threads = work.count_threads(len(candidates))
    pairs = zip_longest(candidates, extra)
    calls = ((given, candidate, Shared(added), n_threads) for candidate, added in pairs)
    with warnings.catch_warnings():
        # A pilot is meant to end before it converges.
        warnings.simplefilter("ignore")
        with raise_interrupts():
            return list(work.run(_run_pilot, calls, len(candidates)))


def _run_pilot(
    given: Shared, candidate: Candidate, extra: Shared, n_threads: int | None
) -> Pilot:
    problem, chosen, own, held_out, calibration, n_visits = given.value
    rows, judges = problem.pilot_split[0][chosen], problem.pilot_split[1]
    settings = (candidate, calibration)
    train = soften_labels(problem, rows, own[chosen], *settings)
    validation = None
    if stops_early(problem, candidate):
        validation = soften_labels(problem, judges, held_out, *settings)
    if validation is not None and not candidate.augmented:
        # Rows that end a student's fit would judge it too kindly.
        split = split_rows(problem.codes[rows], 0.1, problem.seeds.split)
        train, validation = (train.take(part) for part in split)
    if not candidate.in_sample and not problem.splits:
        train = replace(train, labelled=np.arange(0))
    added = None
    if extra.value is not None:
        share = len(chosen) / len(own)
        transfer, proba = extra.value
        n_added = max(1, round(share * len(proba)))
        transfer, proba = take_part(transfer, proba, n_added)
        added = soften_transfer_set(problem, transfer, proba, *settings)
    student = share_cores(clone(problem.student), n_threads)
    n_trained = train.n_labelled + (0 if added is None else added.n_samples)
    if n_visits is not None:
        limit_epochs(student, max(1, round(n_visits / n_trained)))
    with seed_torch(student, problem.seeds.net):
        student = fit_student(student, train, added, validation, candidate.temperature)
        # A net draws when it predicts, too.
        judge = share_cores(student, n_threads, alone=True)
        proba = judge.predict_proba(problem.take(judges).X)
    if proba.shape[1] < len(problem.classes):
        # True labels alone do not tell of classes that these rows lack.
        proba = align(proba, student.classes_, problem.classes)
    to_end = n_visits is None and len(chosen) == len(own)
    judged = _judge(problem, judges, proba)
    return Pilot(candidate, *judged, proba, to_end)


def _draw_rows(problem: Problem, n_rows: int) -> NDArray[np.intp]:
    """Return positions among the rows to try on, one of every class among them."""
    assert problem.pilot_split is not None
    codes = problem.codes[problem.pilot_split[0]]
    order = check_random_state(problem.seeds.pilots).permutation(len(codes))
    _, firsts = np.unique(codes[order], return_index=True)
    order = np.concatenate([order[firsts], np.delete(order, firsts)])
    return np.sort(order[:n_rows])


def _share_out(
    problem: Problem, candidates: list[Candidate]
) -> tuple[int, float | None]:
    """How many rows each pilot may have, and row visits if it learns in passes.

    A network's passes are what costs, so its pilots are bounded by the share of
    those. For other students rows are what decides: a pilot has all of them, as long
    as the pilots' rows are the share of what the final fit labels and learns; a row
    that the teacher is fitted on counts as ten.
    """
    assert problem.pilot_split is not None
    n_real = n_final = len(problem.y)
    if candidates[0].augmented:
        n_final += count_rows(n_real, problem.n_synthetic, problem.ratio)
    passes = count_final_epochs(problem.student, n_final)
    n_tried = len(problem.pilot_split[0])
    if passes is not None:
        return n_tried, problem.pilot * n_final * passes / len(candidates)
    units = sum(
        candidate.in_sample + _PILOT_RATIO * candidate.augmented
        for candidate in candidates
    )
    fit = _FIT_COST * n_real if problem.refits else 0
    share = problem.pilot * (fit + n_real + 2 * n_final) / units
    return min(n_tried, max(_FEWEST, int(share))), None


@dataclass(frozen=True)
class Advantage:
    """The teacher against the student trained directly, on rows that neither saw.

    Attributes
    ----------
    exists : bool
        Whether the teacher is better, in log loss or accuracy, by more than a
        standard error.
    teacher, student : str
        Their figures, in words.
    n_rows : int
        Number of rows.
    """

    exists: bool
    teacher: str
    student: str
    n_rows: int


def find_advantage(
    problem: Problem,
    pilots: list[Pilot],
    unseen: FloatArray,
    calibration: Calibration | None,
) -> Advantage | None:
    """Compare the calibrated teacher with the pilot that learned the true labels."""
    direct = _find_direct(pilots)
    if direct is None or problem.pilot_split is None:
        return None
    judges, weight = problem.pilot_split[1], _weigh_judges(problem)
    proba = clip_labels(problem, unseen[judges])
    proba = proba if calibration is None else calibration.apply(proba)
    losses, hits = _judge(problem, judges, proba)
    lead, error = _compare(direct.losses, losses, weight)
    gain, noise = _compare(hits.astype(float), direct.hits.astype(float), weight)
    words = [
        f"accuracy {np.average(h, weights=weight):.4f} and log loss "
        f"{np.average(x, weights=weight):.4f}"
        for x, h in ((losses, hits), (direct.losses, direct.hits))
    ]
    return Advantage(lead > error or gain > noise, words[0], words[1], len(losses))


def choose_candidate(problem: Problem, pilots: list[Pilot]) -> Candidate:
    """Return the candidate that the held-out rows speak for, in log loss.

    One candidate stays unless another is better by two standard errors: of several that
    are no better, the best seems so by one. For a student that was tried to the end
    it is the true labels, with which distillation does no harm. Where only the leaves
    move, the trees are nearly the same, and it is the better of transfer set and true
    labels. The pilot of a network ends long before a transfer set has paid, but for
    the true labels: it is the best of the transfer sets.
    """
    weight = _weigh_judges(problem)

    def find_best(some: list[Pilot]) -> Pilot:
        return min(some, key=lambda pilot: np.average(pilot.losses, weights=weight))

    best = find_best(pilots)
    if learns_in_epochs(problem.student):
        augmented = [pilot for pilot in pilots if pilot.candidate.augmented]
        stays = find_best(augmented or pilots[:1])
    elif refits_leaves(problem.student):
        stays = find_best([t for t in pilots if t.candidate.augmented or _is_direct(t)])
    else:
        stays = _find_direct(pilots) or best
    lead, error = _compare(stays.losses, best.losses, weight)
    return best.candidate if lead > _CERTAIN * error else stays.candidate


def calibrate_student(
    problem: Problem, pilots: list[Pilot], chosen: Candidate
) -> float:
    """Return the scalar that calibrates the student as it was tried.

    A student of few rounds is underconfident whatever its labels are. 1 where the
    logits can't be divided, where the pilot was a short one, and where it does not
    help by more than two standard errors.
    """
    pilot = next(pilot for pilot in pilots if pilot.candidate is chosen)
    divisible = can_scale_logits(problem.student, len(problem.classes))
    if not (problem.calibrate and pilot.to_end and divisible):
        return 1.0
    assert problem.pilot_split is not None
    judges, weight = problem.pilot_split[1], _weigh_judges(problem)
    proba = clip_labels(problem, pilot.proba)
    found = fit_calibration(proba, problem.codes[judges], weight)
    losses, _ = _judge(problem, judges, found.apply(proba))
    lead, error = _compare(pilot.losses, losses, weight)
    return found.temperature if lead > _CERTAIN * error else 1.0


def _find_direct(pilots: list[Pilot]) -> Pilot | None:
    """The student that learned the true labels."""
    return next(filter(_is_direct, pilots), None)


def _is_direct(pilot: Pilot) -> bool:
    return pilot.candidate.alpha == 0


def _weigh_judges(problem: Problem) -> FloatArray | None:
    assert problem.pilot_split is not None
    return None if problem.weight is None else problem.weight[problem.pilot_split[1]]


def warn_of_harm(advantage: Advantage | None, chosen: Candidate) -> None:
    """Warn where the teacher has no advantage, or none that the student can take."""
    if advantage is None or (advantage.exists and chosen.alpha > 0):
        return
    if advantage.exists:
        finding = "The teacher's labels do not help this student"
        fix = "Consider a larger student."
    else:
        finding = "The teacher is no better than the student trained directly"
        fix = "Consider a better teacher, or the student alone."
    warnings.warn(
        f"{finding}, on {advantage.n_rows} rows that neither saw: {advantage.teacher} "
        f"of the teacher, {advantage.student} of the student. The student learns from: "
        f"{chosen.name}. {fix}",
        UserWarning,
        stacklevel=_USER,
    )


#: Frames between the warning and the caller of `fit`.
_USER = 5


def _judge(problem: Problem, rows: Any, proba: FloatArray) -> tuple[FloatArray, Any]:
    codes = problem.codes[rows]
    floor = np.finfo(np.float64).eps
    losses = -np.log(np.maximum(proba[np.arange(len(rows)), codes], floor))
    return losses, proba.argmax(axis=1) == codes


def _compare(
    first: FloatArray, second: FloatArray, weight: FloatArray | None
) -> tuple[float, float]:
    """Mean of the paired difference, and its standard error."""
    weight = np.ones(len(first)) if weight is None else weight
    share = weight / weight.sum()
    difference = first - second
    mean = share @ difference
    return float(mean), float(np.sqrt((share**2) @ (difference - mean) ** 2))


def report_pilots(
    problem: Problem, pilots: list[Pilot], chosen: Candidate
) -> list[dict[str, Any]]:
    """Return the figures behind the choice, one dict a candidate."""
    weight = _weigh_judges(problem)
    return [
        {
            "learns from": pilot.candidate.name,
            "temperature": pilot.candidate.temperature,
            "alpha": pilot.candidate.alpha,
            "log_loss": float(np.average(pilot.losses, weights=weight)),
            "accuracy": float(np.average(pilot.hits, weights=weight)),
            "chosen": pilot.candidate is chosen,
        }
        for pilot in pilots
    ]
