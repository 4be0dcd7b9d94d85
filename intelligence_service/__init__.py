"""What a score means now: velocity, risk, the next action, and why.

Owns: nothing stored; the only computation of velocity, risk and next action in the system.
Promises: every answer holds for the time that it names and says which thresholds of the model decided it.
Never: stores, writes, or knows a number of the model by heart.
"""
