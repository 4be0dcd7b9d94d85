"""Reads and writes protobuf messages as YAML and JSON. Parsing is strict and reports every mistake with its path."""
