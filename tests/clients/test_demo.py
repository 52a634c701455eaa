"""`cargo demo` without a terminal: it tells its acts in their order, in plain lines, and exits with 0."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from localcloud import ROOT, binary

HOOK = "CodeDeployHook_sluice reports"

RELEASED = [
    "version 2 is pushed", " push ", "image-push: start api-service", "containerDefinitions[0].image: ",
    "by image-push", "smoke: passed", f"{HOOK} Succeeded for AfterAllowTestTraffic",
    "lifecycle   AfterAllowTestTraffic succeeded", f"{HOOK} Succeeded for BeforeAllowTraffic",
    "production listener: 90% to version 1, 10% to version 2",
    "production listener: 0% to version 1, 100% to version 2", " Succeeded", " live ", "version 2, ",
]

KEPT_OUT = [
    "version 3 is pushed", " push ", "image-push: start api-service", "by image-push",
    "test listener: 0% to version 2, 100% to version 3", f"{HOOK} Succeeded for AfterAllowTestTraffic",
    "smoke: failed", f"{HOOK} Failed for BeforeAllowTraffic", "/orders: status 500 instead of 200",
    "lifecycle   BeforeAllowTraffic failed", " Failed: HOOK_EXECUTION_FAILURE", "by codeDeployRollback",
    "test listener: 100% to version 2, 0% to version 3", " Succeeded", " push ", "image-push: nothing api-service",
    "because this image was rejected before", "and 0 of version 3", " live ", "version 2, ", "and 0 in production",
]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("demo")
    demo = Path(binary()).with_name("demo")
    done = subprocess.run(
        [demo], cwd=ROOT, env=os.environ | {"TMPDIR": str(scratch)}, capture_output=True, text=True, timeout=220,
        check=False,
    )
    story = done.stdout + done.stderr
    assert done.returncode == 0, story
    assert not list(scratch.iterdir()), "it left something behind"
    return story


def test_without_a_terminal_lines_are_plain(story):
    assert "\x1b" not in story and "\r" not in story


def test_the_acts_are_told_in_their_order(story):
    rest = story
    for told in RELEASED + KEPT_OUT:
        assert told in rest, f"{told!r} is missing or out of order in\n{story}"
        rest = rest.split(told, 1)[1]


def test_the_proxy_sent_version_3_no_request_and_its_deployment_ended_within_seconds(story):
    act = story.split("version 3 is pushed", 1)[1]
    served, of_new = re.search(r"the proxy served (\d+) of version 2 and (\d+) of version 3", act).groups()
    assert int(served) > 0 and int(of_new) == 0, act
    moved = re.findall(r"production listener: (\d+)% to version 2, (\d+)% to version 3", act)
    assert all(share == ("100", "0") for share in moved), act
    assert float(re.search(r"ended +(\d+\.\d+) s after its check failed", act)[1]) < 20, act
