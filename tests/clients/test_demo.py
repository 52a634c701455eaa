"""`cargo demo --stay` without a terminal: it tells its acts in their order, in plain lines, and
exits with 0 when it is told to."""

import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from localcloud import ROOT, binary

HOOK = "CodeDeployHook_sluice reports"
LIVE, BACK = "is live (edited)", "was rolled back (edited)"

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


TAKEN_BACK = [
    "version 4 is pushed", " push ", "image-push: start api-service", "by image-push",
    f"{HOOK} Succeeded for AfterAllowTestTraffic", f"{HOOK} Succeeded for BeforeAllowTraffic",
    "production listener: 90% to version 2, 10% to version 4", "-> ALARM", "Threshold Crossed",
    "alarm: stop api-service, on api-service-5xx-", "because the alarm went red at ",
    "alarm calls StopDeployment of d-", ": accepted", " Stopped: MANUAL_STOP", "by codeDeployRollback",
    "production listener: 100% to version 2, 0% to version 4", " Succeeded", " push ", "image-push: nothing api-service",
    "because this image was rejected before", " ended ", "stopped by alarm", " live ", "version 2, ", "version 4 answered ",
]

LAST = [
    "what was measured", "push → CreateDeployment ", "alarm red → StopDeployment accepted ", "→ all traffic back ",
    "of these failed ", "metrics of deployment-state: AlarmToStop ", "ChangeFailures 2, Deployments 3, LeadTime ",
    "what Slack shows", "#deploys", LIVE, BACK, BACK, "#ops", BACK, "↳ 🚨 The alarm api-service-5xx-",
]


@dataclass
class Told:
    """What was printed, and what Slack's page and the timeline had while the cloud stayed."""

    story: str
    page: str
    timeline: list[dict]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("demo")
    with subprocess.Popen(
        [Path(binary()).with_name("demo"), "--stay", "--built"], cwd=ROOT, env=os.environ | {"TMPDIR": str(scratch)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as demo:
        limit = threading.Timer(220, demo.kill)
        limit.start()
        try:
            lines, urls = [], {}
            while len(urls) < 2 and (line := demo.stdout.readline()):
                lines.append(line)
                if found := re.fullmatch(r" +(http://127\.0\.0\.1:\d+/_cloud/(slack|timeline)) .*\n", line):
                    urls[found[2]] = found[1]
            page, timeline = (look(urls.get(name)) for name in ("slack", "timeline"))
            # Enter.
            lines.append(demo.communicate("\n")[0])
        finally:
            limit.cancel()
            demo.kill()
    story = "".join(lines)
    assert demo.returncode == 0, story
    assert not list(scratch.iterdir()), "it left something behind"
    return Told(story, page, json.loads(timeline))


def look(url: str | None) -> str:
    """Nothing where there is no address: the story then says why."""
    if not url:
        return "[]"
    with urlopen(url + ("?format=json" if url.endswith("timeline") else ""), timeout=10) as answer:
        return answer.read().decode()


@pytest.fixture
def story(told):
    return told.story


def test_without_a_terminal_lines_are_plain(story):
    assert "\x1b" not in story and "\r" not in story


def test_the_acts_are_told_in_their_order(story):
    rest = story
    for told in RELEASED + KEPT_OUT + TAKEN_BACK + LAST:
        assert told in rest, f"{told!r} is missing or out of order in\n{story}"
        rest = rest.split(told, 1)[1]


def test_the_proxy_sent_version_3_no_request_and_its_deployment_ended_within_seconds(story):
    act = story.split("version 3 is pushed", 1)[1]
    served, of_new = re.search(r"the proxy served (\d+) of version 2 and (\d+) of version 3", act).groups()
    assert int(served) > 0 and int(of_new) == 0, act
    moved = re.findall(r"production listener: (\d+)% to version 2, (\d+)% to version 3", act)
    assert all(share == ("100", "0") for share in moved), act
    assert float(re.search(r"ended +(\d+\.\d+) s after its check failed", act)[1]) < 20, act


def test_alarm_alone_stopped_version_4_once_and_few_requests_failed(told):
    calls = [entry["data"] for entry in told.timeline if entry["kind"] == "call" and entry["data"]]
    stops = [call for call in calls if call["operation"] == "StopDeployment"]
    assert [(stop["caller"], stop["input"]["autoRollbackEnabled"], stop["error"]) for stop in stops] == [
        ("ASIAFNalarm", True, None),
    ]
    assert [call["caller"] for call in calls if call["operation"] == "CreateDeployment"] == ["ASIAFNimage-push"] * 3
    act = told.story.split("version 4 is pushed", 1)[1]
    failed, share = re.search(r"of these failed +0 +0 +(\d+) \((\d+\.\d)%\)", act).groups()
    assert int(failed) > 0 and float(share) < 10, act
    errors, of_new = re.search(r"version 4 answered (\d+) of (\d+) requests by errors", act).groups()
    assert errors == failed and int(of_new) > int(errors), act


def test_slacks_page_shows_a_message_for_each_deployment_as_it_ended(told):
    def titles(part: str) -> list[str]:
        return [title.split(maxsplit=3)[-1] for title in re.findall("<h3>(.*?)</h3>", part)]

    deploys, ops = told.page.split("<h2>#ops</h2>")
    assert titles(deploys) == ["is live", "was rolled back", "was rolled back"]
    assert titles(ops) == ["was rolled back", "was rolled back"]
    assert "🚨 The alarm api-service-5xx-" in ops


def test_an_option_that_is_not_there_is_named():
    done = subprocess.run([Path(binary()).with_name("demo"), "--fast"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "'--fast' is not understood; options are --stay" in done.stderr
