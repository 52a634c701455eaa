"""checkov over everything, and each exception argued where it is made, and needed."""

import json
import os
import re

import pytest

from tree import INFRA, Tree, run

EXCEPTION = re.compile(r"#checkov:skip=(\w+):(.+)")
BLOCK = re.compile(r'^(?:resource|data|module) .*"(\w+)" \{')


# Where checkov looks for pipelines, and theirs. Its schema does not know `queue` yet.
WORKFLOWS, GITLAB = ".github/workflows", ".gitlab-ci.yml"


@pytest.fixture(scope="module")
def found() -> set[tuple[str, str, str]]:
    """File, check and resource of all that checkov finds where no exception is made."""
    tree = Tree.copied("checkov")
    tree.plant("modules/registry/main.tf", "scan_on_push = true", "scan_on_push = false")
    for file in [*tree.path.rglob("*.tf"), *tree.path.rglob("*.yml")]:
        file.write_text(EXCEPTION.sub("", file.read_text()).replace("  queue: max\n", ""))
    (tree.path / WORKFLOWS).mkdir(parents=True)
    for file in (tree.path / "pipelines").iterdir():
        file.rename(tree.path / (GITLAB if file.name.startswith("gitlab") else f"{WORKFLOWS}/{file.name}"))
    ran = run([
        os.environ["CHECKOV_PYTHON"], "-W", "ignore", "-m", "checkov.main", "--directory", ".", "--framework",
        "terraform", "github_actions", "gitlab_ci", "secrets", "--output", "json", "--quiet", "--compact", "--skip-download",
    ], tree.path, LOG_LEVEL="ERROR")
    assert ran.code == 1, ran.text
    reports = json.loads(ran.text)
    checked = {report["check_type"] for report in reports if report["summary"]["passed"]}
    assert {"terraform", "github_actions", "gitlab_ci"} <= checked, checked
    return {place(one) for report in reports for one in report["results"]["failed_checks"]}


def place(one: dict) -> tuple[str, str, str]:
    file = one["file_path"].lstrip("/")
    if file == GITLAB or file.startswith(WORKFLOWS):
        name = "gitlab-ci.yml" if file == GITLAB else file.removeprefix(f"{WORKFLOWS}/")
        return f"pipelines/{name}", one["check_id"], ""
    return file, one["check_id"], one["resource"].split("[")[0].split(".")[-1]


def exceptions() -> dict[tuple[str, str, str], str]:
    """The same of all exceptions, with their reasons."""
    found = {}
    for file in [*INFRA.rglob("*.tf"), *INFRA.rglob("*.yml")]:
        block = ""
        for line in file.read_text().splitlines():
            block = (BLOCK.match(line) or [None, block])[1]
            if exception := EXCEPTION.search(line):
                found[str(file.relative_to(INFRA)), exception[1], block] = exception[2]
    return found


PLANTED = ("modules/registry/main.tf", "CKV_AWS_163", "this")


def test_a_registry_that_does_not_scan_is_found(found):
    assert PLANTED in found


def test_nothing_is_found_that_is_not_argued(found):
    assert found - {PLANTED} - set(exceptions()) == set()


def test_no_exception_is_made_that_is_not_needed(found):
    assert set(exceptions()) - found == set()


def test_each_exception_has_a_reason():
    assert all(len(reason.split()) >= 5 for reason in exceptions().values())
