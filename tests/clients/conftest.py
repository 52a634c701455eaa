"""Fixtures: clouds, each with its end, and their timeline where a test fails."""

import pytest

from localcloud import running


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for cloud in getattr(item, "clouds", []):
            try:
                lines = cloud.look("timeline").decode().splitlines()
            except OSError as error:
                lines = [f"no timeline: {error}"]
            report.sections.append((f"timeline of {cloud.url}", "\n".join(lines[-80:])))


@pytest.fixture
def cloud(request):
    """A cloud whose speed is `@pytest.mark.parametrize("cloud", [30], indirect=True)`, or 30."""
    with running(getattr(request, "param", 30)) as started:
        request.node.clouds = [started]
        yield started
