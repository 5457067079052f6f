"""DistilledClassifier: one small student for an accurate, heavy ensemble."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from ._distilled import Distilled
from ._progress import with_callbacks
from ._students._properties import read_labels
from ._typing import AnyArray, FloatArray


class DistilledClassifier(ClassifierMixin, Distilled):
    """Distil a classifier with `predict_proba` into a small student.

    The teacher's probabilities become soft targets, which the student learns. What is
    served and deployed is `student_`, a stock estimator.

    Parameters
    ----------
    teacher : classifier with predict_proba, default=None
        Fitted as a clone. A :class:`~sklearn.frozen.FrozenEstimator` or a
        :class:`~skdistill.FunctionClassifier` is used as it is. None: a soft vote of
        two LightGBM and two networks, for tables of numbers, text and missing values,
        weighed on the rows that calibrate.
    student : classifier with predict_proba, default=None
        Any classifier whose `fit` takes `sample_weight`, an MLPClassifier, or a
        Pipeline that ends in one. None: an MLP behind the same preprocessing, of 64 and
        32 units or more, as pilots find and its weights allow (25,000).
    temperature : float > 0 or "auto", default="auto"
        Softens the targets while the student learns; the student's logits are
        multiplied by it afterwards, so that it serves at temperature 1. Other
        values than 1 need a student whose logits can be multiplied (MLP, logistic
        regression, LightGBM, XGBoost, most nets). "auto": 3 for networks that learn the
        training rows alone, else 1.
    alpha : float in [0, 1] or "auto", default="auto"
        Weight of the teacher's probabilities against the true labels, on rows that
        have one. Rows beyond the training rows have the teacher's whatever it is: 0
        learns true labels alone with `augmenter=None` and no `X_unlabeled`. "auto": 1,
        unless pilots choose less.
    augmenter : sampler, "munge", "auto" or None, default="auto"
        Makes rows beyond the training rows for the teacher to label: an object with
        `fit(X)` and `sample(n_samples, random_state)`, such as those of
        :mod:`skdistill.transfer`. "auto": MUNGE or SPUNGE, as pilots find that they
        help (below 500 rows to a network). None where `pilot` is 0.
    n_synthetic : int or "auto", default="auto"
        Number of rows that the augmenter makes. "auto": 4 for each real one; 20 for
        networks and decision trees (fewer of more than 15 classes), and where there are
        few rows (4 for an SVC or another kernel machine); at most 500,000.
    cv : int, splitter, iterable or None, default=None
        None: the teacher labels the rows that it was fitted on. Otherwise every
        row has an out-of-fold label; `teacher_` is fitted on all rows as well.
    calibrate : bool or "auto", default="auto"
        Whether the labels are calibrated by one scalar, fitted on out-of-fold labels:
        those of `cv`, of five folds below 500 rows, else of a fifth of the rows that a
        further teacher is fitted without. The mean probability of a class stays; where
        the teacher weighs classes (`class_weight` and the like), it is their share,
        and with False the student serves the shifted probabilities. `X_val` takes the
        place of out-of-fold rows. "auto": True, but below 50 rows or 5 of a class, and
        for frozen teachers and stored probabilities without `X_val`.
    fine_tune : int, default=0
        Epochs over the true labels after distillation (boosted students: rounds), at
        a tenth of the student's learning rate. `X_val`, or else a tenth of the rows,
        is held out and decides whether the result is kept.
    pilot : float, default=1.0
        What the pilots of "auto" may take together, in final fits: for a network of row
        visits (half as much again to choose its width, up to 1.5 times as much again
        for true labels, and once more for a longer pilot before they win against a
        teacher with an advantage: four times at most, where labels are certain), for
        other students of rows labelled and learned. Below 500 rows those of networks'
        transfer sets alone are bounded. 0: no pilots.
    max_labels : int or None, default=None
        The most rows that teachers are asked for in one `fit`, repeats included. Rows
        that calibrate and judge come first, with a quarter at most; then unlabelled and
        synthetic rows, of which pilots get a quarter if that is 300 or more, or, with
        `X_val`, a fixed teacher and a network, learn the same as the student; training
        rows come last. Those that are not asked for learn an out-of-fold label where
        there is one, else their true label. A fixed teacher is judged by `X_val` alone.
    memory : str, path-like, joblib.Memory or None, default=None
        Keeps fitted teachers and labels: a search over the student fits each teacher
        once a training split, and a fit that was killed repeats none. Needs a fixed
        `random_state`.
    n_jobs : int or None, default=None
        Folds of `cv`, chunks of rows to label and pilots that run at the same time,
        where :func:`joblib.parallel_config` says. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds splits, nets of skorch, and each `random_state` that is None inside
        teacher and student, in splitters and in what a search tries too.
    verbose : bool, default=False
        Print a line with the time of each step.

    Attributes
    ----------
    teacher_ : classifier or None
        The fitted teacher; None when `teacher_proba` stood in for one. The default one
        ends in a `VotingClassifier` with the chosen `weights`.
    student_ : classifier
        The fitted student: the thing to deploy.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    temperature_, alpha_ : float
        The temperature and alpha with which the student learned.
    augmenter_ : sampler or None
        The fitted sampler, if synthetic rows were learned.
    calibration_ : float or None
        The scalar by which the logarithms of the labels were divided; below 1 the
        teacher is underconfident. None: the labels were learned as they are.
    calibration_shift_ : ndarray of shape (n_classes,) or None
        What was added to those logarithms, so that the classes keep their shares.
    student_calibration_ : float
        The scalar that divided the student's logits, where a pilot as long as the fit
        (a network's: true labels below 500 rows) asked for it by two errors; else 1.
    student_shift_ : ndarray of shape (n_classes,) or None
        What was added to these logits then, where a pilot of an MLP, a skorch net,
        logistic regression or LightGBM showed that it lacks part of a rare class.
    memorization_ : dict or None
        `accuracy_in_sample` and `entropy_in_sample` (nats) of a teacher on rows that
        it was fitted on, `accuracy_out_of_fold` and `entropy_out_of_fold` on other
        rows (`X_val`, if given): how far its labels of its own rows are memorised.
    pilots_ : list of dict
        The pilots: what each learned from, with log loss (nats) and accuracy on the
        held-out rows under row and class weights, and whether it was chosen.
    distilled_ : bool
        Whether the student learned labels of the teacher. False: the true labels
        alone, because pilots chose them, or because of `alpha=0` without rows beyond
        the training rows.
    fine_tune_ : dict or None
        `kept`, and the log loss on the held-out rows `before` and `after`.
    labels_asked_ : dict of str to int
        Rows that teachers were asked for, by what the labels are for: `"validation"`,
        `"pilots"`, `"transfer"` and `"training"`. Labels in `memory` are not counted.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where all are strings.

    Notes
    -----
    With teacher probabilities p, one-hot label y, class priors pi and a small
    constant e: p becomes (1 - e) p + e pi, then p^(1/t) where labels are calibrated;
    q = softmax(log p / T). In its logits z the student minimises
    alpha CE(q, softmax(z)) + (1 - alpha) / T^2 CE(y, softmax(T z)), which at T = 1 is
    the cross-entropy against alpha p + (1 - alpha) y, and z is multiplied by T.
    Students that learn one fixed target only refuse alpha < 1 where T is not 1; with
    alpha = 0 T is 1. Class weights multiply p before it is softened.

    Read more in the user guide: :doc:`the method </guide/method>`, :doc:`what pilots
    compare and which wins </guide/choosing>`, :doc:`calibration </guide/calibration>`,
    :doc:`what each student does with the labels </guide/students>`.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model compression", KDD 2006.
    .. [2] G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural
       network", 2015.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdistill import DistilledClassifier
    >>> X, y = make_classification(1000, n_informative=8, random_state=0)
    >>> distilled = DistilledClassifier(
    ...     teacher=RandomForestClassifier(),
    ...     student=make_pipeline(
    ...         StandardScaler(), DecisionTreeClassifier(max_depth=6)
    ...     ),
    ...     random_state=0,
    ... ).fit(X, y)
    >>> distilled.score(X, y) > 0.8
    True
    >>> distilled.pilots_[0]["learns from"], distilled.calibration_ < 1
    ('transfer set', True)
    >>> distilled.student_.predict_proba(X[:1]).shape
    (1, 2)
    """

    def __init__(
        self,
        teacher: Any = None,
        student: Any = None,
        *,
        temperature: float | str = "auto",
        alpha: float | str = "auto",
        augmenter: Any = "auto",
        n_synthetic: int | str = "auto",
        cv: Any = None,
        calibrate: bool | str = "auto",
        fine_tune: int = 0,
        pilot: float = 1.0,
        max_labels: int | None = None,
        memory: Any = None,
        n_jobs: int | None = None,
        random_state: RandomState | int | None = None,
        verbose: bool = False,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.temperature = temperature
        self.alpha = alpha
        self.augmenter = augmenter
        self.n_synthetic = n_synthetic
        self.cv = cv
        self.calibrate = calibrate
        self.fine_tune = fine_tune
        self.pilot = pilot
        self.max_labels = max_labels
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        teacher_proba: Any = None,
        X_unlabeled: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        **params: Any,
    ) -> Self:
        """Fit the teacher, label the rows, and fit the student on the labels.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
            Training rows, passed to teacher and student as they are.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights of teacher, student and class priors; synthetic rows have
            their parent's. Probabilities follow them: costs belong in a threshold.
        teacher_proba : array-like of shape (n_samples, n_classes), default=None
            Stored probabilities of a teacher, columns in the order of the sorted
            labels. No teacher is fitted; `teacher` must be None or frozen.
        X_unlabeled : rows of the kind of X or a source of chunks, default=None
            Rows without labels, which the teacher labels and the student learns.
            Synthetic rows build on them too. Rows that do not fit into memory come as
            a Parquet or CSV path or folder, a pyarrow Dataset, a Dask DataFrame, a
            memory-mapped array, or an iterable of chunks of X's kind that starts over.
            They are read twice (checked before any work, then learned), and pilots
            learn the first block alone.
        X_val : rows of the kind of X, with its columns in their order, default=None
            Validation rows, which neither teacher nor student learns. They calibrate,
            choose among the candidates, end the student's fit, decide on its tuning and
            judge the teacher, so that no second teacher is fitted without a part of X.
            A fixed teacher must not have been fitted on them. With `teacher_proba` they
            need a fixed `teacher`, which labels them. At least 50 rows.
        y_val : array-like of shape (n_val,), default=None
            Their true labels, among those of y.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.
        **params : dict
            Metadata for teacher, student and splitter; needs metadata routing.

        Returns
        -------
        self : DistilledClassifier
            The fitted estimator. A failed or interrupted fit leaves the previous
            state, or none.

        Raises
        ------
        TypeError
            A teacher, student or sampler that cannot do its part.
        ValueError
            Bad rows, labels, weights, probabilities or parameters.
        """
        validation = (X_val, y_val, sample_weight_val)
        return self._fit(
            X, y, sample_weight, teacher_proba, X_unlabeled, validation, params
        )

    def predict_proba(self, X: Any) -> FloatArray:
        """Return probabilities of the classes, at temperature 1.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._served().predict_proba(X)

    def predict(self, X: Any) -> AnyArray:
        """Return labels, as the student predicts them.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            In the label space of `y`.
        """
        student = self._served()
        return read_labels(student, student.predict(X), self.classes_)

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            -inf where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(lambda self: hasattr(self.student_, "decision_function"))
    def decision_function(self, X: Any) -> FloatArray:
        """Return the student's decision function.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._served().decision_function(X)

    def _set_fitted(self, data, choice, calibration, shifted, *fitted):
        super()._set_fitted(data, choice, calibration, shifted, *fitted)
        if not self.distilled_:
            calibration = None
        self.classes_ = data.classes
        self.temperature_ = choice.candidate.temperature
        self.calibration_ = calibration and calibration.temperature
        self.calibration_shift_ = calibration and calibration.shift
        self.student_calibration_ = choice.student_calibration.temperature
        self.student_shift_ = choice.student_calibration.shift
