"""Protobuf messages as files that people write: YAML and JSON, strict, with the path of every mistake."""
