"""What is wrong with the leads to learn from, in sentences that say what to do."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score

from cli.learning.facts import Facts, Vector
from cli.learning.kinds import MAX_VALUES, MAX_WORDS, MIN_EACH, Value
from cli.learning.sample import Lead
from cli.terminal.counts import counted

TOO_GOOD = 0.98
"""An AUC from which a model has probably seen the answer."""
PURE = 0.98
"""Share of the leads with an event that have the same outcome, from which the event may be a part of it."""
PURE_REACH = 0.25
"""Share of the leads with this outcome that have the event; below, it may be a rare but honest sign."""
_NO_WINS = "check the names in --conversion, and choose a longer --horizon or an earlier --landmark"
_NO_LOSSES = "name the event types of lost leads with --lost, or set a --horizon"
_REMEDY = "if it is a part of the outcome, name it in --conversion or --lost, or leave it out with --without"


class NothingToLearn(Exception):
    """The leads do not allow a fit. The text is a sentence that says why, and what to do."""


def check(facts: Facts) -> None:
    """Checks that enough leads converted and did not.

    Raises:
        NothingToLearn: Too few did.
    """
    converted, others = (round(facts.weights[each].sum()) for each in (facts.converted, ~facts.converted))
    for count, what, hint in (
        (
            converted,
            "converted",
            _NO_WINS,
        ),
        (others, "did not convert", _NO_LOSSES),
    ):
        if count < MIN_EACH:
            raise NothingToLearn(
                f"only {count:,} of {counted(converted + others, 'lead')} with a known outcome {what} after the "
                f"landmark, {MIN_EACH} are needed: {hint}"
            )


def too_good(facts: Facts, auc: float) -> str:
    """Returns what to do about an AUC that is too good to be true; an empty text if it is not."""
    if auc <= TOO_GOOD:
        return ""
    counts = facts.counts().tocsc()
    alone = [
        abs(float(roc_auc_score(facts.converted, _column(counts, number))) - 0.5) for number in range(counts.shape[1])
    ]
    best = int(np.argmax(alone))
    return (
        f"an AUC of {auc:.3f} is too good to be true: {facts.kinds[best].subject!r} alone reaches "
        f"{0.5 + alone[best]:.3f}, so it may stand for the outcome; {_REMEDY}, or use --accept-leaks"
    )


def suspicions(facts: Facts) -> Iterator[str]:
    """Yields a sentence on each kind whose leads nearly all have the same outcome, and many of the leads with it."""
    has = (facts.counts() > 0).tocsc()
    for number, kind in enumerate(facts.kinds):
        mine = _column(has, number).astype(np.bool_)
        for outcome, what in ((facts.converted, "converted"), (~facts.converted, "did not convert")):
            held, same = facts.weights[mine].sum(), facts.weights[mine & outcome].sum()
            whole = facts.weights[outcome].sum()
            if same >= max(MIN_EACH, PURE * held, PURE_REACH * whole) and whole < PURE * facts.weights.sum():
                yield f"{same / held:.1%} of the {held:,.0f} leads with {kind.subject!r} {what}: {_REMEDY}"


def attribute_notes(leads: Sequence[Lead]) -> Iterator[str]:
    """Yields a sentence on each attribute that cannot be learnt from, or only in part."""
    values, holders = defaultdict[str, set[Value]](set), defaultdict[str, int](int)
    for lead in leads:
        for name, value in lead.attributes.items():
            values[name].add(value)
            holders[name] += 1
    for name, found in sorted(values.items()):
        texts = [value for value in found if isinstance(value, str)]
        if len(found) == 1 and holders[name] == len(leads):
            yield f"attribute {name!r} is the same for all leads, so it tells nothing"
        elif len(texts) > MAX_VALUES:
            yield (
                f"attribute {name!r} has {len(texts):,} different texts: only the {MAX_VALUES} most frequent ones and "
                f"the {MAX_WORDS} most frequent words are tried"
            )


def _column(matrix: sparse.csc_matrix, number: int) -> Vector:
    return np.asarray(matrix[:, [number]].todense()).ravel()
