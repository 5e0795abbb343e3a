"""The example of a classifier as texts: its code, its claims, and the same with one claim more that is wrong."""

from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
MODEL = (EXAMPLES / "classifier.py").read_text()
CLAIMS = (EXAMPLES / "classifier.claims.toml").read_text().replace("classifier.py:", "net.py:")
WRONG = CLAIMS + '\n[[claims]]\nlayer = "head"\nstated = "27,051"\n'
LINE = WRONG[: WRONG.index('layer = "head"')].count("\n")
"""Where the wrong claim begins: the line of its `[[claims]]`."""
