"""Models: files, publication, differences."""
