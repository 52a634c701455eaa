"""`lifecycle-hook` as the function that the local cloud's CodeDeploy calls: whatever happens to it,
each hook ends with one right verdict, before its hour."""

import itertools
import json
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
import requests
from hooks import HOOK, calls_of_the_hook, checked, hook_events, install, invocations, lifecycle, log_of, reports
from localcloud import wait_for
from runtime_api import serving
from scene import Traffic, blue_green, push_image, queue, received

ALL_AT_ONCE = "CodeDeployDefault.ECSAllAtOnce"


@contextmanager
def gate(behind: str, *held: int):
    """A server before another one that never answers these requests, by their numbers; gives its
    URL, and what is released for each of them."""
    asked, holds, over = itertools.count(1), threading.Semaphore(0), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self) -> None:
            if next(asked) in held:
                holds.release()
                over.wait(60)
                return
            answer = requests.get(behind + self.path, timeout=10)
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(answer.content)

    with serving(Handler) as address:
        try:
            yield f"http://{address}", holds
        finally:
            over.set()


def kill(pids, holds: threading.Semaphore) -> None:
    """Kills the function's newest process while its request is held."""
    assert holds.acquire(timeout=60), "the function never asked"
    os.kill(int(pids.read_text().split()[-1]), signal.SIGKILL)


def ends(cloud) -> list[str | None]:
    """How each invocation of the function ended: with an error, or none."""
    return [line["data"]["error"] for line in invocations(cloud) if "error" in line["data"]]


def took(event: dict) -> float:
    """Seconds of a lifecycle event."""
    return (event["endTime"] - event["startTime"]).total_seconds()


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_killed_function_is_called_again_and_an_event_that_lambda_gave_up_can_be_delivered_once_more(cloud, tmp_path):
    scene = blue_green(cloud, "api", ALL_AT_ONCE)
    dead, dead_arn = queue(cloud, "unhandled")
    with gate(f"http://localhost:{scene.test_port}", 1, 3) as (url, holds):
        smoke = [{"smoke": {"base-url": url, "requests": [{"get": "/health", "json": {"version": "v2"}}]}}]
        pids = install(cloud, checked(tmp_path, after_allow_test_traffic=smoke, before_allow_traffic=smoke))
        revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="v2"))
        deployment = scene.deploy(revision, {"AfterAllowTestTraffic": HOOK, "BeforeAllowTraffic": HOOK})

        # Lambda tries an event again that came asynchronously, as CodeDeploy's do.
        kill(pids, holds)
        wait_for(lambda: ends(cloud) == ["Runtime.ExitError"], 10, "Lambda sees that the process is gone")
        cloud.lambda_.put_function_event_invoke_config(
            FunctionName=HOOK, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": dead_arn}},
        )
        wait_for(lambda: reports(cloud) == ["Succeeded"], 30, "the hook is answered")

        # Where its tries are used up, it gives the event to the function's destination, and
        # nobody answers the hook.
        kill(pids, holds)
        [record] = received(cloud, dead, 1)
        event = hook_events(cloud, deployment)[-1]
        assert record["requestPayload"] == event
        assert record["responsePayload"]["errorType"] == "Runtime.ExitError"
        assert lifecycle(scene, deployment)["BeforeAllowTraffic"]["status"] == "InProgress"
        assert reports(cloud) == ["Succeeded"]
        answer = cloud.lambda_.invoke(FunctionName=HOOK, Payload=json.dumps(record["requestPayload"]))
        assert json.load(answer["Payload"])["verdict"] == "Succeeded"
        assert scene.ended(deployment)["status"] == "Succeeded"
    assert ends(cloud) == ["Runtime.ExitError", None, "Runtime.ExitError", None]
    assert reports(cloud) == ["Succeeded", "Succeeded"]
    events = lifecycle(scene, deployment)
    for name in ("AfterAllowTestTraffic", "BeforeAllowTraffic"):
        assert events[name]["status"] == "Succeeded" and took(events[name]) < 3_600
    assert scene.versions(5) == {"v2": 5}


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_target_that_hangs_fails_the_deployment_before_the_functions_own_end(cloud, tmp_path):
    scene = blue_green(cloud, "api", ALL_AT_ONCE)
    url = f"http://localhost:{scene.test_port}"
    smoke = {"base-url": url, "within": "10m", "requests": [{"get": "/health"}, {"get": "/hangs", "max-time": "10m"}]}
    install(cloud, checked(tmp_path, before_allow_traffic=[{"smoke": smoke}]), Timeout=7)
    revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="v2", APP_HANG="/hangs"))
    with Traffic(scene) as traffic:
        deployment = scene.deploy(revision, {"BeforeAllowTraffic": HOOK})
        info = scene.ended(deployment)
        assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
        rollback = wait_for(
            lambda: scene.deployment(deployment).get("rollbackInfo", {}).get("rollbackDeploymentId"),
            30, "a rollback deployment",
        )
        assert scene.ended(rollback)["status"] == "Succeeded"
    assert set(traffic.counts) == {("1", 200)}, traffic.counts
    assert reports(cloud) == ["Failed"] and ends(cloud) == [None]
    [verdict] = [line for line in log_of(cloud) if line.get("verdict")]
    reason = rf"smoke failed: GET {url}/hangs: not ready in the function's time \(1 requests\), no answer within 3\.\ds"
    assert verdict["verdict"] == "Failed" and re.match(reason, verdict["message"]), verdict
    assert took(lifecycle(scene, deployment)["BeforeAllowTraffic"]) < 3_600


def migrate(*arguments: str) -> list[dict]:
    return [{"migrate": {"container": "app", "command": ["sample-task", *arguments], "timeout": "50m"}}]


def tasks_of_checks(scene) -> list[dict]:
    """All tasks that the function started, running or stopped."""
    listed = [
        arn for status in ("RUNNING", "STOPPED")
        for arn in scene.cloud.ecs.list_tasks(cluster=scene.cluster, desiredStatus=status)["taskArns"]
    ]
    tasks = scene.cloud.ecs.describe_tasks(cluster=scene.cluster, tasks=listed)["tasks"]
    return [task for task in tasks if task["startedBy"].startswith("sluice/")]


@pytest.mark.parametrize("cloud", [300], indirect=True)
def test_a_migration_of_forty_minutes_outlives_each_invocation_and_succeeds(cloud, tmp_path):
    scene = blue_green(cloud, "api", ALL_AT_ONCE)
    # Eight real seconds are forty minutes of the cloud's; an invocation may take six.
    install(cloud, checked(tmp_path, before_install=migrate("--log", "done", "--after", "8100")), Timeout=6)
    revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="v2"))
    deployment = scene.deploy(revision, {"BeforeInstall": HOOK})
    wait_for(lambda: reports(cloud), 40, "the migration's end is reported")
    assert reports(cloud) == ["Succeeded"] and ends(cloud) == [None, None]
    [task] = tasks_of_checks(scene)
    assert (task["stoppedAt"] - task["startedAt"]).total_seconds() >= 40 * 60
    event = lifecycle(scene, deployment)["BeforeInstall"]
    assert event["status"] == "Succeeded" and 40 * 60 < took(event) < 3_600
    runs = [call["input"] for call in calls_of_the_hook(cloud) if call["operation"] == "RunTask"]
    assert len(runs) == 2 and runs[0] == runs[1], "the second one finds the task of the first"
    assert scene.ended(deployment)["status"] == "Succeeded"


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_migration_that_exits_with_3_fails_once_with_its_last_lines_however_often_it_is_delivered(cloud, tmp_path):
    scene = blue_green(cloud, "api", ALL_AT_ONCE)
    command = migrate("--log", "column x exists", "--log", "giving up", "--exit", "3", "--after", "1500")
    install(cloud, checked(tmp_path, before_install=command))
    revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="v2"))
    deployment = scene.deploy(revision, {"BeforeInstall": HOOK})
    [event] = wait_for(lambda: hook_events(cloud, deployment), 30, "the hook is called")

    def deliver(event: dict) -> dict:
        answer = cloud.client("lambda").invoke(FunctionName=HOOK, Payload=json.dumps(event))
        assert "FunctionError" not in answer
        return json.load(answer["Payload"])

    with ThreadPoolExecutor(2) as pool:
        for answer in pool.map(deliver, (event, event)):
            assert "verdict" not in answer and answer["checks"] == [{"check": "migrate", "outcome": "pending"}]
        wait_for(lambda: reports(cloud), 30, "the migration's end is reported")
        assert reports(cloud) == ["Failed"]
        [task] = tasks_of_checks(scene)
        stopped = [line["data"]["event"] for line in invocations(cloud) if "source" in line["data"].get("event", {})]
        # Late, twice at once: of the task's end, and of the hook.
        for late in (stopped[0], event):
            answers = list(pool.map(deliver, (late, late)))
            assert all(answer.get("verdict") != "Succeeded" for answer in answers), answers
    info = scene.ended(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert reports(cloud) == ["Failed"] and tasks_of_checks(scene) == [task]
    name = task["taskArn"].split("/")[-1]
    reason = f"migrate failed: {name} ended with exit code 3; its last lines: column x exists | giving up"
    assert reason in [line["message"] for line in log_of(cloud) if line.get("verdict") == "Failed"]
    assert scene.versions(5) == {"1": 5}
