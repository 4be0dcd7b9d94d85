"""Mapping files: where the fields of an event come from in a record of a file; presets for the exports of vendors."""
