"""DistilledRegressor: one small student for a heavy ensemble of regressors."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score

from ._distilled import Distilled
from ._nested import takes_outputs
from ._progress import with_callbacks
from ._soft_data import as_columns
from ._typing import AnyArray


class DistilledRegressor(RegressorMixin, Distilled):
    """Distil a regressor into a small student.

    The teacher's values become the targets that the student learns. What is served
    and deployed is `student_`, a stock estimator.

    Parameters
    ----------
    teacher : regressor, list of regressors or None, default=None
        Fitted as a clone. A :class:`~sklearn.frozen.FrozenEstimator` or a
        :class:`~skdistill.FunctionRegressor` is used as it is. None: the mean of
        LightGBM and two networks, weighed on out-of-fold rows (for several outputs and
        quantiles LightGBM alone), for tables of numbers, text and missing values. With
        `quantiles` its `predict` gives one column a quantile; or it is a list of one
        regressor a quantile, fitted ones to be used as they are, others to be cloned
        and fitted.
    student : regressor, default=None
        Any regressor, or a Pipeline that ends in one, without a quantile loss: the
        levels stand in `quantiles`. None: an MLP behind the same preprocessing, of 64
        and 32 units or more, as pilots find and its weights allow (25,000).
    alpha : float in [0, 1] or "auto", default="auto"
        Weight of the teacher's values against the true ones, on rows that have one.
        Rows beyond the training rows have the teacher's whatever it is: 0 learns true
        values alone with `augmenter=None` and no `X_unlabeled`. "auto": 1, unless
        pilots choose less.
    augmenter : sampler, "munge", "auto" or None, default="auto"
        Makes rows beyond the training rows for the teacher to label: an object with
        `fit(X)` and `sample(n_samples, random_state)`, such as those of
        :mod:`skdistill.transfer`. "auto": MUNGE or SPUNGE, as pilots find that they
        help (below 500 rows to a network). None where `pilot` is 0.
    n_synthetic : int or "auto", default="auto"
        Number of rows that the augmenter makes. "auto": 4 for each real one, 20 where
        a network learns or there are few rows (4 for an SVR or another kernel machine),
        at most 500,000.
    quantiles : tuple of floats or None, default=None
        Levels that rise within (0, 1): the student learns these quantiles of the
        teacher, all together, and `predict` returns one column each. None: values.
    cv : int, splitter, iterable or None, default=None
        None: the teacher labels the rows that it was fitted on. Otherwise every
        row has an out-of-fold label; `teacher_` is fitted on all rows as well.
    fine_tune : int, default=0
        Epochs over the true values after distillation, at a tenth of the student's
        learning rate, for an MLPRegressor. `X_val`, or else a tenth of the rows, held
        out, decides whether the result is kept.
    pilot : float, default=1.0
        What the pilots of "auto" may take together, in final fits: for a network of row
        visits (half as much again to choose its width, up to 1.5 times as much again
        for true labels, and once more for a longer pilot before they win against a
        teacher with an advantage: four times at most, where labels are certain), for
        other students of rows labelled and learned. Below 500 rows those of networks'
        transfer sets alone are bounded. 0: no pilots.
    max_labels : int or None, default=None
        The most rows that teachers are asked for in one `fit`, repeats included. Rows
        that judge come first, with a quarter at most; then unlabelled and
        synthetic rows, of which pilots get a quarter if that is 300 or more, or, with
        `X_val`, a fixed teacher and a network, learn the same as the student; training
        rows come last. Those that are not asked for learn an out-of-fold value where
        there is one, else their true one. A fixed teacher is judged by `X_val` alone.
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
    teacher_ : regressor or None
        The fitted teacher; None when `teacher_prediction` stood in for one.
    student_ : regressor
        The fitted student: the thing to deploy.
    n_outputs_ : int
        Number of values a row, or of quantiles.
    quantile_shift_ : ndarray of shape (n_quantiles,) or None
        What was added to each quantile, so that its share of held-out rows is below.
    coverage_ : ndarray of shape (n_quantiles,) or None
        Share of held-out rows whose value is at most the quantile, each half of them
        under the shift that the other half sets.
    alpha_ : float
        The alpha with which the student learned.
    augmenter_ : sampler or None
        The fitted sampler, if synthetic rows were learned.
    memorization_ : dict or None
        `r2_in_sample` of a teacher on rows that it was fitted on, and
        `r2_out_of_fold` on other rows (`X_val`, if given): how far its labels of its
        own rows are memorised. With `quantiles` the same of the pinball loss.
    pilots_ : list of dict
        The pilots: what each learned from, with RMSE and R² on the held-out rows under
        row weights, and whether it was chosen. The RMSE of several outputs is in
        standard deviations. With `quantiles` the mean pinball loss.
    distilled_ : bool
        Whether the student learned values of the teacher. False: the true values
        alone, because pilots chose them, or because of `alpha=0` without rows beyond
        the training rows.
    fine_tune_ : dict or None
        `kept`, and the mean squared error on the held-out rows `before` and `after`.
    labels_asked_ : dict of str to int
        Rows that teachers were asked for, by what the labels are for: `"validation"`,
        `"pilots"`, `"transfer"` and `"training"`. Labels in `memory` are not counted.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where all are strings.

    See Also
    --------
    DistilledClassifier : The same for classes.

    Notes
    -----
    With teacher values f and true values y the student learns
    alpha f + (1 - alpha) y, by whatever loss it has, and f on rows without y.

    With `quantiles` it learns the teacher's quantiles by squared error, and a fifth of
    the rows (or `X_val`), which neither teacher nor student learns, sets a shift of
    each, as in conformalised quantile regression [2]_. The shift stands in the
    student's last intercepts or in its leaves. `predict`, and ONNX and C of this
    estimator, sort the quantiles of a row; those of `student_` alone may cross.

    Read more in the user guide: :doc:`what pilots compare and which wins
    </guide/choosing>`, :doc:`what each student does with the labels, and quantiles
    </guide/students>`.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model compression", KDD 2006.
    .. [2] Y. Romano, E. Patterson, E. Candes, "Conformalized quantile regression",
       NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklearn.neural_network import MLPRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill import DistilledRegressor
    >>> X, y = make_friedman1(400, noise=2.0, random_state=0)
    >>> network = MLPRegressor(hidden_layer_sizes=(16,), max_iter=100)
    >>> distilled = DistilledRegressor(
    ...     teacher=ExtraTreesRegressor(30),
    ...     student=make_pipeline(StandardScaler(), network),
    ...     random_state=0,
    ... ).fit(X, y)
    >>> distilled.score(X, y) > 0.8
    True
    >>> distilled.distilled_, distilled.pilots_[0]["learns from"]
    (True, 'transfer set')

    The 10%, 50% and 90% quantiles by one student:

    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> levels = (0.1, 0.5, 0.9)
    >>> teacher = [
    ...     HistGradientBoostingRegressor(loss="quantile", quantile=q, max_iter=30)
    ...     for q in levels
    ... ]
    >>> tree = DecisionTreeRegressor(min_samples_leaf=20)
    >>> distilled = DistilledRegressor(teacher, tree, quantiles=levels, random_state=0)
    >>> distilled.fit(X, y).predict(X).shape
    (400, 3)
    """

    def __init__(
        self,
        teacher: Any = None,
        student: Any = None,
        *,
        alpha: float | str = "auto",
        augmenter: Any = "auto",
        n_synthetic: int | str = "auto",
        quantiles: Any = None,
        cv: Any = None,
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
        self.alpha = alpha
        self.augmenter = augmenter
        self.n_synthetic = n_synthetic
        self.quantiles = quantiles
        self.cv = cv
        self.fine_tune = fine_tune
        self.pilot = pilot
        self.max_labels = max_labels
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # The stages read these of both meta-estimators; values have no probabilities to
    # soften or to calibrate.
    temperature = 1.0
    calibrate = False

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        teacher_prediction: Any = None,
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
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights of teacher and student; synthetic rows have their parent's.
        teacher_prediction : array-like of the shape of y, default=None
            With `quantiles` of shape (n_samples, n_quantiles).
            Stored values of a teacher. No teacher is fitted; `teacher` must be None or
            frozen.
        X_unlabeled : rows of the kind of X or a source of chunks, default=None
            Rows without values, which the teacher labels and the student learns. See
            :meth:`DistilledClassifier.fit`.
        X_val : rows of the kind of X, with its columns in their order, default=None
            Rows that neither teacher nor student learns: they choose what the student
            learns, end and tune its fit. No further teacher is fitted for that, and a
            frozen one is judged by rows that it does not know.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their true values.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.
        **params : dict
            Metadata for teacher, student and splitter; needs metadata routing.

        Returns
        -------
        self : DistilledRegressor
            The fitted estimator. A failed or interrupted fit leaves the previous
            state, or none.

        Raises
        ------
        TypeError
            A teacher, student or sampler that cannot do its part.
        ValueError
            Bad rows, values, weights or parameters.
        """
        validation = (X_val, y_val, sample_weight_val)
        return self._fit(
            *(X, y, sample_weight, teacher_prediction, X_unlabeled, validation, params)
        )

    def predict(self, X: Any) -> AnyArray:
        """Return values, as the student predicts them.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        values : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units of `y`. With `quantiles` of shape (n_samples, n_quantiles), and
            sorted along the quantiles.
        """
        values = self._served().predict(X)
        if self.quantiles is not None:
            return np.sort(as_columns(values), axis=1)
        # Nets and linear models may predict a column of a single output.
        return as_columns(values)[:, 0] if self.n_outputs_ == 1 else values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R², or with `quantiles` the share of the pinball loss explained.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            :func:`~sklearn.metrics.d2_pinball_score`, the mean over the quantiles.
        """
        if self.quantiles is None:
            return super().score(X, y, sample_weight)
        columns = zip(self.predict(X).T, self.quantiles, strict=True)
        weighted = {"sample_weight": sample_weight}
        scores = [d2_pinball_score(y, c, alpha=q, **weighted) for c, q in columns]
        return float(np.mean(scores))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        several = all(map(takes_outputs, self._list_parts()))
        tags.target_tags.multi_output = several and self.quantiles is None
        return tags

    def _set_fitted(self, data, choice, calibration, shifted, *fitted):
        super()._set_fitted(data, choice, calibration, shifted, *fitted)
        self.n_outputs_ = data.task.n_columns
        self.quantile_shift_, self.coverage_ = shifted
