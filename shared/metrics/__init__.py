"""Metrics of every process: their definitions, one file per concern, and the page on which Prometheus reads them.

Guarantee: no name or label has an id of a lead, an event or a rule, and the labels have few values. What one service
alone measures is defined in its own `metrics.py`; docs/monitoring.md lists everything.
"""
