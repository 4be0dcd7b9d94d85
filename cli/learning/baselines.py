"""What scorecards are measured against: the models of scikit-learn, on how often each kind of event happened."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cli.learning.facts import Facts, Vector


def logistic_regression(train: Facts, test: Facts, seed: int = 0) -> Vector:
    """Returns the log-odds of each lead of `test`, by a logistic regression on the logarithms of the counts."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5_000, random_state=seed))
    model.fit(_logarithms(train), train.converted)
    found: Vector = model.decision_function(_logarithms(test))
    return found


def boosting(train: Facts, test: Facts, seed: int = 0) -> Vector:
    """Returns the log-odds of each lead of `test`, by gradient boosting on the counts."""
    model = HistGradientBoostingClassifier(random_state=seed)
    model.fit(train.counts().toarray(), train.converted)
    found: Vector = model.decision_function(test.counts().toarray())
    return found


def _logarithms(facts: Facts) -> Vector:
    found: Vector = np.log1p(facts.counts().toarray())
    return found
