"""A linear classifier of handwritten digits, trained by stochastic gradient descent. The kind and the strength of its regularization are tuned."""

import sigopt
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

images, digits = load_digits(return_X_y=True)
classifier = SGDClassifier(
    penalty="elasticnet",
    l1_ratio=sigopt.params.setdefault("l1_ratio", 0.15),
    alpha=10 ** sigopt.params.setdefault("log_alpha", -4.0),
    random_state=0,
    max_iter=20,
    tol=None,
)
accuracy = cross_val_score(make_pipeline(StandardScaler(), classifier), images, digits, cv=3).mean()

print(f"l1_ratio={sigopt.params.l1_ratio:.3f} log_alpha={sigopt.params.log_alpha:.2f} accuracy={accuracy:.4f}")
sigopt.log_model("SGDClassifier")
sigopt.log_metric("accuracy", accuracy)
