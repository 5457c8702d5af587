"""What the tests tried, counted at the end of `pytest`: bad inputs, kill points, planted faults.

A test says so with the mark `tried("bad inputs")`, or `tried("kill points", 20)` where it tries several. The counts are printed in
another process than the tests run in, so they travel as properties (conftest.py).
"""

from collections import Counter


def counted(reports) -> dict[str, tuple[int, int]]:
    """{what: (how many were tried, how many of them in tests that failed)} of test reports."""
    tried, failed = Counter(), Counter()
    for report in reports:
        for name, value in report.user_properties:
            if name == "tried":
                what, number = (*value, 1)[:2]
                tried[what] += number
                failed[what] += number * bool(report.failed)
    return {what: (tried[what], failed[what]) for what in tried}


def summarise(terminalreporter):
    """Print the counts, if any test gave one."""
    reports = [r for group in terminalreporter.stats.values() for r in group if getattr(r, "when", None) == "call"]
    counts = counted(reports)
    if counts:
        terminalreporter.section("tried")
    for what, (tried, failed) in sorted(counts.items()):
        terminalreporter.line(f"{tried:5} {what}" + (f", {failed} of them in tests that failed" if failed else ""))
