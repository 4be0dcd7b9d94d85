"""What a score means now: velocity, risk, the next action, and why.

Owns: no data. It is the only place where velocity, risk and the next action are computed, and it forwards the stream of
committed changes to watchers.
Promises: every answer is valid for the time that it names and lists the model thresholds that decided it. A watcher
receives every change or an error.
Never: stores or writes data, hard-codes a number of the model, or waits for a watcher.
"""
