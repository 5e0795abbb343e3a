"""Digits to train on: the embedded ones, MNIST, and two of them overlaid."""
