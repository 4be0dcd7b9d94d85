"""Traces: the spans of a process, sent to an OpenTelemetry collector if `OTEL_EXPORTER_OTLP_ENDPOINT` names one.

Guarantee: without it nothing imports OpenTelemetry, and a call costs nothing more. A collector that is slow or away
delays no call and no stop. No span has an id or a property of a lead or an event. docs/monitoring.md lists all spans.
"""
