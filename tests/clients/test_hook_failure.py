"""A hook that reports Failed: the deployment ends, and production never saw green."""

import json

import pytest
from localcloud import wait_for
from scene import Traffic, blue_green, function, push_image

REPORTS_FAILED_TWICE = """
report(event, "Failed")
try:
    report(event, "Succeeded")
except urllib.error.HTTPError as error:
    return json.loads(error.read())
"""


def test_a_failed_hook_fails_the_deployment_and_green_takes_no_request(cloud):
    scene = blue_green(cloud, "api")
    function(cloud, "CodeDeployHook_check", REPORTS_FAILED_TWICE)
    revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="2"))
    with Traffic(scene) as traffic:
        deployment = scene.deploy(revision, {"BeforeAllowTraffic": "CodeDeployHook_check"})
        info = scene.ended(deployment)
        assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
        rollback = wait_for(
            lambda: scene.deployment(deployment).get("rollbackInfo", {}).get("rollbackDeploymentId"),
            30, "a rollback deployment",
        )
        back = scene.ended(rollback)
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert back["rollbackInfo"]["rollbackTriggeringDeploymentId"] == deployment
    assert set(traffic.counts) == {("1", 200)}, traffic.counts
    assert scene.versions(20) == {"1": 20}
    reports = cloud.calls("codedeploy", "PutLifecycleEventHookExecutionStatus")
    assert [call["error"] for call in reports] == [None, "LifecycleEventAlreadyCompletedException"]


@pytest.mark.parametrize("cloud", [120], indirect=True)
def test_a_hook_that_reports_nothing_hangs_the_deployment_for_its_hour_and_no_longer(cloud):
    scene = blue_green(cloud, "api")
    function(cloud, "CodeDeployHook_throws", 'raise RuntimeError("a bug")')
    revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="2"))
    deployment = scene.deploy(revision, {"AfterInstall": "CodeDeployHook_throws"})
    info = scene.ended(deployment, 200)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    took = (info["completeTime"] - info["createTime"]).total_seconds()
    assert 3_600 <= took < 4_200, took
    assert scene.versions(20) == {"1": 20}
    starts = [e for e in cloud.timeline() if e["kind"] == "function" and "CodeDeployHook_throws" in json.dumps(e)]
    assert starts, "the function was never started"

