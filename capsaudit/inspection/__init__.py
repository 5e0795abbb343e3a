"""Somebody else's model: what it holds, which reading it is, and whether it is what was published."""
