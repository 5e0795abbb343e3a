"""The commands: command X is in X.py. Each is a function that returns a result and prints nothing."""
