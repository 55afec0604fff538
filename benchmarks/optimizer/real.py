"""Models that are really trained, small ones on data that scikit-learn ships: the mean of a cross-validation is the measure."""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.optimizer.problem import Point, number
from trialflow.optimizer import Conditional, Parameter, Space


@lru_cache
def _data(name: str) -> tuple[Any, Any]:
    warnings.filterwarnings("ignore", message="Solver terminated early")
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return StandardScaler().fit_transform(x), y


def support_vectors(x: Any, y: Any, point: Point) -> float:
    """Mean squared error of a support vector regression in 3 folds; its solver gives up early where it is slow."""
    from sklearn.model_selection import cross_val_score
    from sklearn.svm import SVR

    gamma: Any = number(point, "gamma")
    model = SVR(C=number(point, "c"), gamma=gamma, epsilon=number(point, "epsilon"), max_iter=20000)
    return -float(np.mean(cross_val_score(model, x, y, cv=3, scoring="neg_mean_squared_error")))


def svr_of_diabetes(point: Point) -> float:
    """Mean squared error, in thousands, of a support vector regression in 3 folds."""
    return support_vectors(*_data("diabetes"), point) / 1000


DIABETES = Space(
    (
        Parameter("c", "double", (1e-2, 1e4), log=True),
        Parameter("gamma", "double", (1e-6, 1.0), log=True),
        Parameter("epsilon", "double", (1e-3, 1e2), log=True),
    )
)


def svc_of_cancer(point: Point) -> float:
    """Mean squared hinge, up to 9, of the decisions of a support vector machine in 3 folds: smoother than a count of errors."""
    from sklearn.model_selection import cross_val_predict
    from sklearn.svm import SVC

    x, y = _data("breast_cancer")
    kernel = str(point["kernel"])
    gamma: Any = number(point, "gamma") if kernel == "rbf" else "scale"
    degree = int(number(point, "degree")) if kernel == "poly" else 3
    model = SVC(kernel=kernel, C=number(point, "c"), gamma=gamma, degree=degree, max_iter=20000)  # type: ignore[arg-type]  # stubs want literals
    decisions = cross_val_predict(model, x, y, cv=3, method="decision_function")
    return float(np.mean(np.minimum(np.maximum(0.0, 1 - decisions * (2 * y - 1)), 3.0) ** 2))


@lru_cache
def _friedman() -> tuple[Any, Any]:
    warnings.filterwarnings("ignore", message="Solver terminated early")
    from sklearn.datasets import make_friedman1
    from sklearn.preprocessing import StandardScaler

    x, y = make_friedman1(n_samples=160, n_features=8, noise=1.0, random_state=1)
    return StandardScaler().fit_transform(x), y


def svr_of_friedman(point: Point) -> float:
    """Mean squared error of a support vector regression of made data in 3 folds."""
    return support_vectors(*_friedman(), point)


CANCER = Space(
    (
        Parameter("c", "double", (1e-3, 1e3), log=True),
        Parameter("gamma", "double", (1e-6, 1.0), log=True, conditions={"kernel": ("rbf",)}),
        Parameter("degree", "int", (2, 5), conditions={"kernel": ("poly",)}),
    ),
    (Conditional("kernel", ("linear", "rbf", "poly")),),
)
