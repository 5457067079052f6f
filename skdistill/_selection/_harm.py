"""Where distilling does not help: what is said of the pilots, and of the final fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._nested import last_step
from .._students._properties import explain_worse
from .._students._soft_learner import SoftLearner
from .._typing import FloatArray
from ._candidates import Candidate
from ._pilots import Pilot
from ._scores import Scores

#: The advice of families whose fits do not diverge: naive Bayes is too certain.
_OTHER = "Consider another student."


def find_best(pilots: list[Pilot], scores: Scores) -> Pilot:
    return min(pilots, key=lambda pilot: scores.average(pilot.losses))


def find_direct(pilots: list[Pilot], scores: Scores) -> Pilot | None:
    """Return the pilot of the true labels, the better of several; None without one."""
    found = [pilot for pilot in pilots if pilot.candidate.alpha == 0]
    return find_best(found, scores) if found else None


@dataclass(frozen=True)
class FinalCheck:
    """What the fitted student is held to, on the held-out rows."""

    #: The held-out rows.
    scores: Scores
    #: Labels of the teacher, which was not fitted on them.
    teacher: FloatArray
    #: The pilot of the true labels.
    direct: Pilot | None
    #: The pilot of what the student learns.
    pilot: Pilot
    #: Pilots that were not run: the teacher stands for them.
    known: list[Pilot]

    def describe(self, student: Any) -> str | None:
        """Say that the student is far worse than its pilot, or than two others.

        These are the teacher, and the better of a student of the true labels and one
        answer for all rows. The student has learned most of the rows, so that it should
        be better. Where it diverges, its pilot does so too, on rows that it has not
        learned.
        """
        scores, losses = self.scores, self.scores.rate_student(student)
        name, kind = type(last_step(student)).__name__, scores.loss_name
        found = f"The {name} has a {kind} of {{:.4g}} on {len(losses)} rows"
        was_run = not any(self.pilot is pilot for pilot in self.known)
        if was_run and scores.is_far_worse(losses, self.pilot.losses):
            before, after = map(scores.average, (self.pilot.losses, losses))
            text = found.format(after)
            text += f", where its pilot, fitted without them, has {before:.4g}."
            return f"{text} {explain_worse(student)}"
        if self.pilot is self.direct:
            # `describe_harm` has said what their pilot has.
            return None
        other = self._compare(losses)
        if other is None and self.pilot.to_end:
            losses = self.pilot.losses
            other, found = (
                self._compare(losses),
                f"The pilot of {found[0].lower()}{found[1:]}",
            )
        if other is None:
            return None
        own, teacher = map(scores.average, (losses, self._teacher_losses))
        cause = explain_worse(student)
        return (
            f"{found.format(own)}, where the teacher has {teacher:.4g} and {other}. "
            f"{_OTHER if cause == SoftLearner.worse else cause}"
        )

    @cached_property
    def _teacher_losses(self) -> FloatArray:
        return self.scores.rate(self.teacher)

    def _compare(self, losses: FloatArray) -> str | None:
        """Name what is far better beside the teacher, if both are."""
        scores = self.scores
        if not scores.is_far_worse(losses, self._teacher_losses):
            return None
        if self.direct is None or scores.is_useless(self.direct.losses):
            better, name = scores.constant_losses, "one answer for all rows"
        else:
            better, name = self.direct.losses, "the student of the true labels"
        if not scores.is_far_worse(losses, better):
            return None
        return f"{name} {scores.average(better):.4g}"


def describe_harm(
    chosen: Candidate,
    pilots: list[Pilot],
    scores: Scores,
    teacher: FloatArray,
    small: bool,
    *,
    knows: bool,
) -> str | None:
    """Compare the teacher's labels with the student of the true labels.

    None where the teacher has an advantage that the student takes; on few rows, where
    most are within the error, where it is not certainly worse; and where all rows have
    one label, of which `fit` has warned. What a teacher that may know the rows
    has there counts against it alone.
    """
    direct = find_direct(pilots, scores)
    if direct is None or not scores.varies:
        return None
    advantage = scores.rate_advantage(teacher, direct)
    if small and chosen.alpha > 0 and not scores.is_worse(teacher, direct):
        return None
    if advantage == 1 and scores.is_less_accurate(teacher, direct):
        finding = "The teacher is less accurate than the student trained directly"
        fix = _advise(direct.candidate, scores)
    elif advantage < 1:
        finding = "The teacher is no better than the student trained directly"
        if advantage == 0:
            finding += " beyond chance (its lead is within a standard error)"
        fix = _advise(direct.candidate, scores)
    elif chosen.alpha == 0:
        finding = "The teacher's labels do not help this student"
        if find_best(pilots, scores) is not direct:
            finding += " beyond chance"
        if knows:
            return (
                f"{finding}, on {len(teacher)} rows that it was not fitted on: it has "
                f"{scores.describe(direct.served)} with the true labels, which it "
                "learns. The teacher may know these rows, and is not judged by them."
            )
        fix = "Consider a larger student."
        if scores.is_useless(direct.losses):
            fix = (
                "The student is worse than one answer for all rows: its fit diverges, "
                "or memorises its rows."
            )
    else:
        return None
    return (
        f"{finding}, on {len(teacher)} rows that the student was not fitted on: "
        f"{scores.describe(teacher)} of the teacher, "
        f"{scores.describe(direct.served)} of the student. The student "
        f"learns from: {chosen.learned}. {fix}"
    )


def _advise(direct: Candidate, scores: Scores) -> str:
    """Name what gives the figures of the pilot that learned the true labels."""
    if direct.n_updates is None:
        return f"Consider a better teacher, or {scores.alone}."
    if direct.rival:
        return (
            "Consider a better teacher: fitted alone, the student would not choose its "
            "number of epochs, as it did here."
        )
    return (
        "Consider a better teacher, or leave out alpha and augmenter: then it may "
        "learn the true labels, for as many epochs as they ask."
    )
