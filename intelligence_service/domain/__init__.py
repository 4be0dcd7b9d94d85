"""How velocity, risk, churn and the next action follow from a score. Pure: the standard library only.

Begin with `insight.py` (what is decided), then `explanation.py` (why, in sentences), `model.py` (the numbers),
`summary.py` (all leads, counted).
"""
