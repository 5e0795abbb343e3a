"""Models in files: headers and state dicts, read as data."""
