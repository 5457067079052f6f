"""The intervals and the warnings of the report."""

import numpy as np
import pytest
from _reports import (
    NAMES,
    FixedClassifier,
    compare,
    distil,
    make_hits,
    make_proba,
    report_on,
    stage,
)
from joblib import parallel_config
from scipy.stats import bootstrap
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.inspection import distillation_report


def test_the_share_is_of_the_advantage():
    y, teacher, baseline, student = make_hits(180, 80, 150)
    found = compare(y, teacher, baseline, student)
    share = found.share_recovered["accuracy"]
    assert share["share"] == pytest.approx((150 - 80) / (180 - 80))
    assert share["advantage"] == pytest.approx(0.5)
    assert found.against_teacher["accuracy"]["gain"] == pytest.approx(-0.15)
    losses = [log_loss(y, p, labels=NAMES) for p in (teacher, baseline, student)]
    assert found.share_recovered["log_loss"]["share"] == pytest.approx(
        (losses[2] - losses[1]) / (losses[0] - losses[1])
    )
    assert found.against_baseline["log_loss"]["gain"] == pytest.approx(
        losses[1] - losses[2]
    )


def test_intervals_are_those_of_a_paired_bootstrap():
    y, *probas = make_hits(180, 80, 150)
    found = compare(y, *probas)
    hits = [(p.argmax(axis=1) == 1).astype(float) for p in probas]

    def share(teacher, baseline, student, axis):
        gap = student.mean(axis) - baseline.mean(axis)
        return gap / (teacher.mean(axis) - baseline.mean(axis))

    expected = bootstrap(
        hits,
        share,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    own = found.share_recovered["accuracy"]
    # Both are random: 1000 draws place an end within a twentieth of the width.
    width = expected.high - expected.low
    assert own["low"] == pytest.approx(expected.low, abs=0.1 * width)
    assert own["high"] == pytest.approx(expected.high, abs=0.1 * width)


def hit_first(*counts, n_rows=200):
    """Labels, and models that are right on the first rows."""
    y = np.full(n_rows, "low")
    rows = np.arange(n_rows)
    return y, *(make_proba(np.where(rows < count, "low", "mid")) for count in counts)


@pytest.mark.parametrize("advantage", [8, 10, 16])
def test_a_small_advantage_beyond_chance_has_a_share(advantage):
    """Of .04 to .08 in accuracy, on rows that the baseline gets wrong."""
    found = compare(*hit_first(100 + advantage, 100, 100 + advantage // 2))
    share = found.share_recovered["accuracy"]
    assert 0 < share["advantage_low"] < share["advantage"]
    assert share["advantage"] == pytest.approx(advantage / 200)
    assert share["share"] == pytest.approx(0.5)
    assert 0 <= share["low"] < 0.5 < share["high"] <= 1


def test_draws_without_an_advantage_leave_an_interval():
    """Of 5 rows of 200, a draw takes none once in 150 times: 6 or 7 draws of 1000."""
    y, teacher, baseline, student = hit_first(105, 100, 103)
    found = compare(y, teacher, baseline, student)
    share = found.share_recovered["accuracy"]
    assert share["share"] == pytest.approx(3 / 5)
    assert 0 <= share["low"] < 3 / 5 < share["high"] <= 1

    # The student is right where the teacher is wrong, too: its share of no advantage
    # is infinite, and its interval ends above.
    teacher[150:], student[150:] = make_proba(["mid"] * 50), make_proba(["low"] * 50)
    found = compare(y, teacher, baseline, student)
    share = found.share_recovered["accuracy"]
    assert share["share"] == pytest.approx(53 / 5)
    assert share["low"] > 1
    assert share["high"] > 25


def test_a_draw_without_an_advantage_counts_on_the_side_of_the_student():
    """Of 40 draws the interval leaves out the highest, and none at its low end."""
    y, teacher, baseline, student = hit_first(104, 100, 102)
    teacher[150:], student[150:] = make_proba(["mid"] * 50), make_proba(["low"] * 50)
    models = y, teacher, baseline, student
    reports = [
        compare(*models, n_bootstrap=40, random_state=seed) for seed in range(20)
    ]
    shares = [found.share_recovered["accuracy"] for found in reports]
    lows = [share["low"] for share in shares if share["share"] is not None]
    assert len(lows) > 10
    assert min(lows) > 1


def test_a_student_below_the_baseline_has_a_negative_share():
    found = compare(*hit_first(105, 100, 60))
    share = found.share_recovered["accuracy"]
    assert share["share"] == pytest.approx(-8)
    assert share["low"] < share["share"] < share["high"] < 0
    share |= {"low": -np.inf, "high": np.inf}
    assert "-800% (95% interval -∞ to ∞)" in " ".join(str(found).split())


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_the_workers_do_not_change_the_intervals(backend):
    models = make_hits(180, 80, 150)
    alone = compare(*models, n_bootstrap=130)
    with parallel_config(backend=backend):
        together = compare(*models, n_bootstrap=130, n_jobs=2)
    assert together.share_recovered == alone.share_recovered
    assert together.against_teacher == alone.against_teacher


def test_weights_are_part_of_the_intervals():
    y, teacher, _, student = make_hits(180, 80, 150)
    lost = (teacher.argmax(axis=1) == 1) & (student.argmax(axis=1) != 1)
    # Nearly all of the weight is on rows that the student loses.
    weight = np.where(lost, 1.0, 1e-6)
    gain = stage(student, teacher, y, sample_weight=weight).against_teacher["accuracy"]
    assert gain["gain"] == pytest.approx(-1, abs=1e-3)
    assert gain["high"] == pytest.approx(-1, abs=1e-3)


def test_no_advantage_is_warned_of():
    found = compare(*make_hits(100, 150, 120))
    assert found.share_recovered["accuracy"]["share"] is None
    text = " ".join(str(found).split())
    assert (
        "The teacher is no better than the student trained directly (the baseline) in "
        "accuracy and log loss: there is no advantage to hand on." in text
    )
    assert "worse than the student trained directly" in text
    assert "accuracy by 0.1500" in text


@pytest.mark.parametrize("hits", [(180, 80, 150), (80, 180, 80)])
def test_only_an_advantage_within_chance_is_said_to_be(hits):
    """One is beyond chance, and one is none."""
    found = compare(*make_hits(*hits))
    assert not any("within chance" in line for line in found.warnings)


def test_an_advantage_within_chance_has_no_interval():
    found = compare(*make_hits(101, 99, 100))
    share = found.share_recovered["accuracy"]
    # One row of two: the ratio would be .5, or anything else by chance.
    assert share["share"] is share["low"] is share["high"] is None
    assert share["advantage_low"] < 0 < share["advantage_high"]
    assert any("within chance" in line for line in found.warnings)
    assert "the advantage is within chance" in " ".join(str(found).split())
    assert not any("no advantage to hand on" in line for line in found.warnings)


def test_the_seed_decides_the_intervals(distilled):
    one, same, other = (
        report_on(distilled, random_state=seed).against_teacher for seed in (0, 0, 1)
    )
    assert one == same != other


# --- warnings in words ---------------------------------------------------------


def test_a_class_that_the_student_fails():
    y = np.repeat(["high", "low", "mid"], 100)
    student = np.where(np.arange(300) >= 240, "low", y)  # fails 60 of the last class
    found = stage(make_proba(student), make_proba(y), y)
    assert [part["behind"] for part in found.by_class] == [False, False, True]
    assert any(
        "class 'mid', beyond chance: 0.400 against 1.000" in w for w in found.warnings
    )
    assert any("right on every row" in line for line in found.warnings)
    assert any("behind the teacher beyond chance" in line for line in found.warnings)


def test_many_groups_that_it_fails_are_summed_up():
    groups = np.repeat(np.arange(30), 20)
    y = np.full(600, "low")
    student = make_proba(np.where(np.arange(600) % 20 < 15, "mid", y))
    found = stage(student, make_proba(y), y, groups=groups)
    assert sum("group '" in line for line in found.warnings) == 6
    assert any("'14' and 15 more" in line for line in found.warnings)
    assert 'to_frame(by="group")' in str(found)
    assert len(found.to_frame(by="group")) == 60


def test_few_rows_absent_classes_and_trust():
    y = np.repeat(["high", "low"], 20)
    teacher = make_proba(np.where(np.arange(40) % 5 == 0, "mid", y), 0.8)
    student = make_proba(np.where(np.arange(40) % 5 == 0, "mid", y), 0.98)
    found = stage(student, teacher, y)
    text = " ".join(found.warnings)
    assert "only 40 rows" in text
    assert "No row is of class 'mid'" in text
    assert "calibration error 0.180 against 0.000" in text
    assert found.by_class[2]["n_rows"] == 0
    assert "nan" not in str(found)


def test_one_class_has_no_area_under_the_curve():
    y = np.full(30, "low")
    assert np.isnan(stage(make_proba(y), make_proba(y), y).models["student"]["roc_auc"])


def test_no_advantage_after_calibration_says_what_was_measured():
    y, teacher, baseline, student = make_hits(100, 150, 120)
    model = distil()
    model.student_, model.teacher_ = FixedClassifier(student), FixedClassifier(teacher)
    model.calibration_ = 0.5
    rows = np.arange(len(y))[:, None]
    found = distillation_report(model, rows, y, baseline=FixedClassifier(baseline))
    assert any("measured without calibration" in line for line in found.warnings)
    assert "underconfident" in str(found)


# --- few rows ------------------------------------------------------------------


def lose(n_rows, weight=None):
    """A report where the student loses each row, to the teacher and the baseline."""
    y = np.full(n_rows, "low")
    right, wrong = make_proba(y), make_proba(np.full(n_rows, "mid"))
    return stage(wrong, right, y, baseline=right, sample_weight=weight)


@pytest.mark.parametrize("n_rows", [1, 3, 29, 30])
def test_few_rows_say_nothing_beyond_chance(n_rows):
    found = lose(n_rows)
    claims = [w for w in found.warnings if "beyond chance" in w or "harmed" in w]
    assert bool(claims) == (n_rows == 30)
    gain = found.against_baseline["accuracy"]
    assert gain["gain"] == pytest.approx(-1)
    assert np.isinf([gain["low"], gain["high"]]).all() == (n_rows < 30)
    only = "is only 1 row" if n_rows == 1 else f"are only {n_rows} rows"
    text = " ".join(str(found).split())
    assert f"There {only}:" in text
    assert ("fewer than 30 rows give no interval" in text) == (n_rows < 30)
    assert "inf" not in text.replace("information", "")


def test_few_rows_are_those_that_have_the_weight():
    found = lose(400, weight=np.r_[np.full(3, 1e4), np.ones(397)])
    assert "400 rows, of which few have nearly all of the weight" in found.warnings[0]
    assert not any("beyond chance" in w for w in found.warnings)


@pytest.mark.parametrize(("n_rows", "behind"), [(2, False), (5, False), (6, True)])
def test_few_rows_of_a_group_are_coins(n_rows, behind):
    """All are lost by chance once in 2^n; Holm's procedure asks two for 2.5%."""
    y = np.full(100, "low")
    few = np.arange(100) < n_rows
    groups = np.where(few, "few", "many")
    found = stage(make_proba(np.where(few, "mid", y)), make_proba(y), y, groups=groups)
    assert [part["behind"] for part in found.by_group] == [behind, False]


def test_a_teacher_that_was_dropped_is_named_with_the_pilots_figures():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1200, 4))
    labels = rows.sum(axis=1) + rng.normal(size=1200) > 0
    stump, student = DecisionTreeClassifier(max_depth=1), LogisticRegression()
    model = DistilledClassifier(stump, student, random_state=0)
    with pytest.warns(UserWarning, match="no better than the student"):
        model.fit(rows[:800], labels[:800])
    losses = {p["learns from"]: p["log_loss"] for p in model.pilots_}
    direct = losses.pop("true labels")
    best = min(losses, key=losses.get)
    found = report_on(model, rows[800:], labels[800:])
    assert not found.distilled
    assert found.warnings[0] == (
        "The student learned nothing of the teacher, only the true labels: on held-out "
        f"training rows its pilot has log loss {direct:.4g} with these, and at best "
        f"{losses[best]:.4g} with the teacher's labels ({best})."
    )
    few = report_on(model, rows[800:820], labels[800:820])
    assert found.warnings[0] in few.warnings


def test_true_labels_that_were_asked_for_are_named(distilled):
    model = distil(alpha=0)
    said = "The student learned nothing of the teacher, only the true labels."
    assert said in report_on(model).warnings
    taught = report_on(distilled)
    assert taught.distilled
    assert not any("learned nothing" in text for text in taught.warnings)
