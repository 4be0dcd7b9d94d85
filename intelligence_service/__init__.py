"""What a score means now: velocity, risk, the next action, and why.

Owns: nothing stored; the only computation of velocity, risk and next action in the system. It reads the stream of
committed changes, to pass them on to those who watch.
Promises: every answer holds for the time that it names and says which thresholds of the model decided it. A watcher
misses no change, or is told.
Never: stores, writes, or knows a number of the model by heart; waits for a watcher.
"""
