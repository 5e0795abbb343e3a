"""A user's module for the tests of importing and building, and a way to write such files."""

import textwrap
from pathlib import Path

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden=3, *, bias=True):
        super().__init__()
        self.fc = nn.Linear(2, hidden, bias)
    def forward(self, x):
        return self.fc(x)

class Plain:
    small = nn.Linear(2, 1)
    @staticmethod
    def make():
        return nn.Linear(2, 5)

class Descriptor:
    def __get__(self, *_):
        raise ValueError("not readable")
class Guarded:
    net = Descriptor()

built = Net(4)

def factory(hidden=6):
    return Net(hidden)
def with_inputs():
    return Net(), (torch.zeros(7, 2), 3)
def with_tensor():
    return Net(), torch.zeros(7, 2)
def with_dict():
    return Net(), {"x": torch.zeros(7, 2)}
def with_nothing():
    return Net(), None
def with_text():
    return Net(), "7,2"
def needy(hidden, classes, /, *, depth):
    return Net()
def greedy(**options):
    return Net(**options)
def nothing():
    pass
def three():
    return Net(), 1, 2
def broken():
    return nn.Linear("2", 3)
def leaving():
    raise SystemExit(3)
def interrupted():
    raise KeyboardInterrupt
def long_winded():
    raise ValueError("first line\\nsecond line")
number = 3
"""


def write(path: str, text: str = NET) -> Path:
    """Write a module, relative to the current directory."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


def line(code: str) -> int:
    """The line of NET that contains `code`, counted from 1."""
    return next(number for number, text in enumerate(NET.splitlines(), start=1) if code in text)
