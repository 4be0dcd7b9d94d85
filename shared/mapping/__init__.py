"""Mapping files: where the fields of an event come from in a record; presets for the exports of vendors."""
