"""Reading SVG drawings."""

from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def bars(root: ET.Element, look: str) -> list[tuple[float, float]]:
    """Where the bars of a look begin, and how wide they are."""
    found = (each for each in root.iter(f"{SVG}rect") if each.get("class") == look)
    return [(float(each.get("x", "")), float(each.get("width", ""))) for each in found]
