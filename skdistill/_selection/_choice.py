"""What pilots decide: the candidate, and the scale of the student's logits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np

from .._dataset import Dataset
from .._labels._calibration import Calibration
from .._labels._cross_fit import OutOfFold, measure_memorization
from .._parts import Parts
from .._progress import Progress, part_of_step
from .._students._properties import learns_in_epochs, refits_leaves
from .._tasks import ONE_THREAD
from .._typing import FloatArray
from .._warnings import warn_caller
from ._candidates import Candidate, drop_needless
from ._foreign_rows import describe_foreign
from ._harm import FinalCheck, describe_harm, find_best, find_direct
from ._hold_outs import Splits, knows_rows
from ._pilots import (
    Pilot,
    PilotInputs,
    run_longer,
    run_pilots,
    run_wider,
)
from ._sampling import sample_rows_of
from ._scores import CERTAIN, Scores, make_scores

#: Share of the pilots' time that transfer sets get before widths are tried.
_SETS_SHARE = 2 / 3


@dataclass(frozen=True)
class Choice:
    """What the student learns, and the figures that decided it."""

    candidate: Candidate
    #: As in DistilledClassifier.
    memorization: dict[str, float] | None
    #: What the student's logits are divided by in the end, and what is added to them.
    student_calibration: Calibration = field(default_factory=lambda: Calibration(1.0))
    #: As in DistilledClassifier.
    pilots: list[dict[str, Any]] = field(default_factory=list)
    #: A wider default student, unfitted; None: the student of the parts.
    student: Any = None
    #: What the fitted student is held to, where there were pilots.
    check: FinalCheck | None = None
    #: The teacher's labels, of shape (n_rows, n_columns), of the candidate's transfer
    #: set, where pilots learned it.
    labels: FloatArray | None = None

    def warn_if_worse(self, student: Any) -> None:
        """Warn where the student is far worse than held-out rows let expect."""
        found = self.check and self.check.describe(student)
        if found:
            warn_caller(found)


@ONE_THREAD
def choose(
    parts: Parts,
    data: Dataset,
    splits: Splits,
    candidates: list[Candidate],
    oof: OutOfFold | None,
    calibration: Calibration | None,
    progress: Progress,
) -> Choice:
    """Return the only candidate, or the one whose pilot held-out rows prefer.

    Warn where the teacher knows nothing of validation rows, has no advantage, or none
    that the student can take.
    """
    memorization = None
    if oof is not None and splits.first is not None:
        memorization = measure_memorization(data, splits.first, oof)
    foreign = describe_foreign(data, splits, oof, parts.student)
    if foreign:
        _warn(foreign, progress)
    if not splits.has_pilots(candidates):
        return Choice(candidates[0], memorization)
    with progress.shared_step("pilots"):
        assert oof is not None
        held_out = np.concatenate([rows for _, rows in splits.pilots])
        scores = make_scores(data, held_out, parts.student)
        said = [oof.take(rows).values for _, rows in splits.pilots]
        teacher = scores.read_teacher(np.concatenate(said), calibration)
        candidates = drop_needless(candidates, data, memorization)
        known = []
        if _stands_for_first(parts, splits, candidates):
            first, *candidates = candidates
            known = [Pilot(first, teacher, data.task.score(teacher, scores.y), False)]
        given = PilotInputs(parts, data, splits, candidates, oof, calibration)
        student, pilots, chosen = _decide(given, known, scores, teacher)
        shown = pilots[len(known) :] if splits.only_compares else pilots
        candidate, own = _sample_chosen(chosen.candidate, given)
        compared = (candidate, pilots, scores, teacher, splits.small)
        knows = data.validation is None and knows_rows(parts)
        harm = None if foreign else describe_harm(*compared, knows=knows)
        if harm:
            _warn(harm, progress)
        return Choice(
            candidate,
            memorization,
            scores.calibrate(chosen, teacher) if splits.calibrate else Calibration(1.0),
            [{**scores.report(p), "chosen": p is chosen} for p in shown],
            student,
            FinalCheck(scores, teacher, find_direct(pilots, scores), chosen, known),
            own,
        )


def _stands_for_first(
    parts: Parts, splits: Splits, candidates: list[Candidate]
) -> bool:
    """Whether the teacher stands for the first candidate, which has no pilot.

    It does where parameters say that this one is learned, and on few rows and labels.
    """
    network = learns_in_epochs(parts.student) and candidates[0].augmented
    return (splits.tries_one_set and network) or splits.only_compares


def _warn(text: str, progress: Progress) -> None:
    warn_caller(text)
    progress.say(text)


def _sample_chosen(
    candidate: Candidate, given: PilotInputs
) -> tuple[Candidate, FloatArray | None]:
    """Return the candidate with its rows, and labels that pilots learned of them.

    True labels are learned alone.
    """
    parts, splits = given.parts, given.splits
    if candidate.rows is not None:
        return candidate, None
    if splits.plan.shared and candidate.augmented:
        rows = next(c.pilot_rows[0] for c in given.candidates if c.pilot_rows)
        return replace(candidate, rows=rows), given.oof.transfer[0][0]
    if candidate.direct:
        parts = replace(parts, X_unlabeled=None)
    return sample_rows_of(candidate, parts, given.data, splits), None


def _decide(
    given: PilotInputs, known: list[Pilot], scores: Scores, teacher: FloatArray
) -> tuple[Any, list[Pilot], Pilot]:
    """Return a wider default student, or None, all pilots, and the chosen one."""
    share = _SETS_SHARE if given.parts.default_student else 1
    with part_of_step(0, share):
        pilots, chosen = _choose_candidate(given, known, scores, teacher)
    with part_of_step(share, 1):
        student, chosen, wider = _choose_width(given, chosen, scores)
    return student, pilots + wider, chosen


def _choose_candidate(
    given: PilotInputs, known: list[Pilot], scores: Scores, teacher: FloatArray
) -> tuple[list[Pilot], Pilot]:
    """Return all pilots, and the one that is chosen.

    Before the true labels are taken from a teacher with an advantage, the best transfer
    set of a network is learned for as long as they could be.
    """
    pilots = known + run_pilots(given, scores.weight)
    rivals = [pilot for pilot in pilots if pilot.candidate.rival]
    student = given.parts.student
    if given.splits.small:
        return pilots, _choose_small(rivals, student, scores, teacher)
    direct = find_direct(rivals, scores)
    lead = 1 if direct is None else scores.rate_advantage(teacher, direct)
    if given.splits.plan.shared:
        # The student has no more rows than its pilot, by which it could pass them.
        lead = min(lead, 0)
    rule = (student, scores, lead)
    chosen = _choose_pilot(rivals, *rule)
    finalists = [pilot for pilot in pilots if pilot.finalist]
    if direct is None or chosen is not direct or lead < 0 or not finalists:
        return pilots, chosen
    best = find_best(finalists, scores)
    longer = run_longer(given, best)
    pilots = [longer if pilot is best else pilot for pilot in pilots]
    return pilots, _choose_pilot(pilots, *rule)


def _choose_small(
    pilots: list[Pilot], student: Any, scores: Scores, teacher: FloatArray
) -> Pilot:
    """Return the best pilot of a small table.

    The error of few rows is more than what any may lose. Pilots of a network are short,
    which tells one transfer set from another: the nearest stays, unless one further
    away is better by a standard error. The whole fit comes as near to the teacher as
    few rows can tell, so that true labels that are better than the teacher stay,
    unless the set's pilot is better by an error. Those that are stopped in time must be
    better by one, too: one fold may end a hundred times as late as another.
    """
    direct = [pilot for pilot in pilots if pilot.candidate.alpha == 0]
    taught = [pilot for pilot in pilots if pilot.candidate.alpha > 0]
    if not direct or not taught or not learns_in_epochs(student):
        return find_best(pilots, scores)
    best = _overrule(taught[0], find_best(taught, scores), scores)
    as_set, *stopped = direct
    chosen = best
    if _is_better(as_set, teacher, scores):
        chosen = _overrule(as_set, best, scores)
    for rival in stopped:
        if _is_better(rival, teacher, scores):
            chosen = _overrule(chosen, rival, scores)
    return chosen


def _is_better(pilot: Pilot, teacher: FloatArray, scores: Scores) -> bool:
    """Whether a pilot is better than the teacher, however little."""
    return scores.find_lead(teacher, pilot)[0] < 0


def _overrule(stays: Pilot, rival: Pilot, scores: Scores, certain: int = 1) -> Pilot:
    """Return the rival if it is better by so many standard errors."""
    lead, error = scores.compare(stays.losses, rival.losses)
    return rival if lead > certain * error else stays


def _choose_pilot(
    pilots: list[Pilot], student: Any, scores: Scores, advantage: int
) -> Pilot:
    """Return the pilot that the held-out rows prefer, in their loss.

    One candidate stays unless another is better by a standard error.

    - A network keeps a transfer set: among those within a standard error of the best,
      the furthest from the training rows, which repeats least of what the teacher has
      memorised. After a longer pilot one standard error is enough against it, and any
      lead of the true labels where the teacher's over them is not certain. They stay
      where it has none: a student that gains with more rows and time passes it.
    - A student of which only the leaves are refitted, so that the trees are nearly the
      same, keeps the better of transfer set and true labels. Another candidate must be
      better by two standard errors.
    - Other students, whose pilots are as long as their fit, keep the true labels, with
      which distillation does no harm. Two standard errors would be too much: where
      trees learn, a few rows of probability 0 make both the lead and its error.

    Held-out rows that lack a class do not overrule what stays. `advantage` tells
    whether the teacher is better than a student of the true labels: 1: certainly,
    0: within a standard error, -1: it is not.
    """

    def find_furthest(some: list[Pilot]) -> Pilot:
        best = find_best(some, scores)
        leads = [scores.compare(p.losses, best.losses) for p in some]
        # Candidates are listed the nearest first.
        tied = (lead <= error for lead, error in leads)
        return list(compress(some, tied))[-1]

    best, direct = find_best(pilots, scores), find_direct(pilots, scores)
    augmented = [pilot for pilot in pilots if pilot.candidate.augmented]
    if learns_in_epochs(student):
        finalists = [pilot for pilot in augmented if pilot.finalist]
        stays = find_furthest(finalists or augmented or pilots[:1])
        if scores.complete and finalists and direct is not None:
            lead, error = scores.compare(direct.losses, stays.losses)
            stays = stays if lead > -advantage * error else direct
        certain = 1 if stays.finalist else CERTAIN
    elif refits_leaves(student):
        rivals = augmented + ([] if direct is None else [direct])
        stays, certain = find_best(rivals or pilots, scores), CERTAIN
    else:
        stays, certain = direct or best, 1
    return _overrule(stays, best, scores, certain) if scores.complete else stays


def _choose_width(
    given: PilotInputs, narrow: Pilot, scores: Scores
) -> tuple[Any, Pilot, list[Pilot]]:
    """Return the best wider default student if it is better by a standard error.

    Else None; then the pilot that stays, and those that were run for it.
    """
    if not (given.parts.default_student and narrow.finalist):
        return None, narrow, []
    wider = run_wider(given, narrow)
    rivals = [(None, narrow), *wider]
    student, pilot = min(rivals, key=lambda p: scores.average(p[1].losses))
    chosen = _overrule(narrow, pilot, scores)
    pilots = [pilot for _, pilot in wider]
    return None if chosen is narrow else student, chosen, pilots
