"""Models in files, read as data."""
