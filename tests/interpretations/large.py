"""A space that takes long to search: many values for knobs that all meet in DigitCaps' W."""

from pathlib import Path

_KNOBS = {"digit_caps.classes": 400, "digit_caps.dimension": 400, "primary_caps.types": 12, "image.channels": 20}


def write_large_space(path: Path) -> Path:
    """About 40 million combinations to walk through, which takes many seconds."""
    text = 'family = "capsnet"\nsummary = "large"\n'
    for knob, count in _KNOBS.items():
        values = ", ".join(f'{{ value = {v}, assumption_cost = 1, source = "me" }}' for v in range(1, count + 1))
        text += f'[[knobs]]\nknob = "{knob}"\nalternatives = [{values}]\n'
    path.write_text(text)
    return path
