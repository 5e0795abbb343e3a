"""A check as JUnit XML: one test case a variant."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from capsaudit.render.github import message
from capsaudit.results import Check

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(check: Check) -> str:
    """The `<testsuites>` document that CI servers read."""
    failed = {failure.variant for failure in check.failures}
    totals = {"tests": str(len(check.variants)), "failures": str(len(failed)), "errors": "0"}
    suites = ET.Element("testsuites", totals)
    suite = ET.SubElement(suites, "testsuite", {"name": "capsaudit check", **totals})
    for variant in check.variants:
        case = ET.SubElement(suite, "testcase", {"classname": "capsaudit.check", "name": _clean(variant)})
        lines = [f"{f.layer or 'in all'}: {message(f)}" for f in check.failures if f.variant == variant]
        if lines:
            failure = ET.SubElement(case, "failure", {"message": _clean(lines[0])})
            failure.text = _clean("\n".join(lines))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode")


def _clean(text: str) -> str:
    """Characters that XML cannot hold, replaced."""
    return _NOT_XML.sub("\ufffd", text)
