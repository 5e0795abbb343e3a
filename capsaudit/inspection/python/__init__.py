"""Models in Python code: importing, building and running a user's code."""
