"""What GitHub's, GitLab's and Jenkins' readers of JUnit reports agree on, checked on the bytes of one."""

from __future__ import annotations

from xml.etree import ElementTree

RESULTS = {"failure", "error", "skipped"}


def read(report: bytes) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Properties, and state with message of every test case by name; fails on a malformed report."""
    root = ElementTree.fromstring(report)
    assert root.tag == "testsuites"
    (suite,) = root
    assert suite.tag == "testsuite"
    assert suite.get("name")
    assert {child.tag for child in suite} <= {"properties", "testcase"}
    assert suite[0].tag == "properties"
    properties = {each.attrib["name"]: each.attrib["value"] for each in suite[0]}
    assert len(properties) == len(suite[0])
    cases = {}
    for case in suite.findall("testcase"):
        assert set(case.attrib) == {"name", "classname", "time"}
        assert float(case.attrib["time"]) >= 0
        assert {child.tag for child in case} <= {*RESULTS, "system-out"}
        results = [child for child in case if child.tag in RESULTS]
        assert len(results) <= 1
        for result in results:
            assert set(result.attrib) == {"message", "type"}
            assert "\n" not in result.attrib["message"]
            assert result.text
        state = results[0].tag if results else "passed"
        cases[case.attrib["name"]] = (state, results[0].attrib["message"] if results else "")
    found = [state for state, _ in cases.values()]
    counted = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    for element in (root, suite):
        assert element.get("tests") == str(len(cases)) == str(len(suite) - 1)
        for name, state in counted.items():
            assert element.get(name) == str(found.count(state))
    return properties, cases
