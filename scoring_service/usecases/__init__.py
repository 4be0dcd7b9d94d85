"""One module per occasion: events are drained, decay comes round, a model is published, someone asks or corrects.

`recording.py` is what the writing ones share.
"""
