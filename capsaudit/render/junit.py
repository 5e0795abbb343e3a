"""Cases as JUnit XML: one test case for each variant or claim."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from capsaudit.render.cases import Case, cases
from capsaudit.results import Result


def junit(result: Result) -> str:
    """The `<testsuites>` document that CI servers read. Warnings are not test cases; they are in the output of the suite."""
    found = cases(result)
    checked = [case for case in found if case.level != "warning"]
    name = checked[0].suite.split(".")[1] if checked else "audit"
    failures = sum(case.level == "error" for case in checked)
    totals = {"tests": str(len(checked)), "failures": str(failures), "errors": "0"}
    suites = ET.Element("testsuites", totals)
    suite = ET.SubElement(suites, "testsuite", {"name": f"capsaudit {name}", **totals})
    for case in checked:
        _add(suite, case)
    if warnings := [str(message) for case in found if case.level == "warning" for message in case.messages]:
        ET.SubElement(suite, "system-err").text = "\n".join(warnings)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode")


def _add(suite: ET.Element, case: Case) -> None:
    place = {"file": case.file, "line": str(case.line)} if case.file else {}
    element = ET.SubElement(suite, "testcase", {"classname": case.suite, "name": case.name, **place})
    if case.level != "none":
        failure = ET.SubElement(element, "failure", {"message": str(case.messages[0])})
        failure.text = "\n".join(map(str, case.messages))
