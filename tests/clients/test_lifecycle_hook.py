"""The program of `lifecycle-hook` as Lambda runs it, asked by hand: what it makes of each event,
and what a hook of the local cloud's CodeDeploy gets for an answer."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hooks import REPORT, WRITES, calls_of_the_hook, checked, lifecycle, lifecycle_hook, reports, waiting
from localcloud import ACCOUNT, REGION, running, wait_for
from recorder import Refused
from runtime_api import FunctionError
from scene import blue_green, push_image
from test_image_push import EVENTS, entry, logged, releases, rolling, stable

# JSON writes it otherwise; and another one begins with it.
SECRET = 'hunter2 "and" more'
LONGER = f"{SECRET}, and more still"


def nothing(detail_type: str, source: str) -> tuple[str, str]:
    return "nothing", f"'{detail_type}' from '{source}' is nothing that a check waits for"


def lacks(member: str) -> tuple[str, str]:
    return "error", f"for an event of EventBridge '{member}' is missing"


# What comes of each file of tests/events: ("nothing", reason) and ("error", text) cost no call of
# AWS; (status, reason) is the answer to a hook of ECS.
EXPECTED = {
    "cloudwatch-alarm-configuration-change-create": nothing("CloudWatch Alarm Configuration Change", "aws.cloudwatch"),
    "cloudwatch-alarm-lambda-action-metric": lacks("detail-type"),
    "cloudwatch-alarm-state-composite": nothing("CloudWatch Alarm State Change", "aws.cloudwatch"),
    "cloudwatch-alarm-state-metric": nothing("CloudWatch Alarm State Change", "aws.cloudwatch"),
    "cloudwatch-alarm-state-metric-math": nothing("CloudWatch Alarm State Change", "aws.cloudwatch"),
    "codedeploy-deployment-start-seoul": nothing("CodeDeploy Deployment State-change Notification", "aws.codedeploy"),
    "codedeploy-deployment-success-seoul": nothing("CodeDeploy Deployment State-change Notification", "aws.codedeploy"),
    # A hook whose deployment nobody knows: its verdict cannot be reported.
    "codedeploy-hook": ("unreported", "reporting to the deployment d-deploymentId: "),
    "ecr-image-action-delete": nothing("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-empty-tag": nothing("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-media-types": nothing("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-tag": nothing("ECR Image Action", "aws.ecr"),
    "ecr-image-scan-basic": nothing("ECR Image Scan", "aws.ecr"),
    "ecr-referrer-action-restore": nothing("ECR Referrer Action", "aws.ecr"),
    "ecr-replication-action-success": nothing("ECR Replication Action", "aws.ecr"),
    "ecs-deployment-completed": nothing("ECS Deployment State Change", "aws.ecs"),
    "ecs-deployment-failed": nothing("ECS Deployment State Change", "aws.ecs"),
    "ecs-deployment-in-progress": nothing("ECS Deployment State Change", "aws.ecs"),
    "ecs-native-hook-observed-tokyo": ("FAILED", "releases.yaml names no service my-cluster/native-bg-1; remove"),
    # Of another region than this cloud's: ECS has no such revision.
    "ecs-native-hook-post-test-traffic-shift": ("FAILED", "describing the service revision arn:aws:ecs:us-west-2:"),
    "ecs-native-hook-production-traffic-shift-rollback": ("SUCCEEDED", "traffic is taken back"),
    "ecs-task-state-stopped-fargate-observed": ("nothing", "cdd887a827a4432db19f6059310a4817 was not started by a check"),
    "eventbridge-rule-schedule": nothing("Scheduled Event", "aws.events"),
    "inspector2-scan-complete": nothing("Inspector2 Scan", "aws.inspector2"),
    "lambda-destination-onfailure-record": lacks("source"),
    "sns-cloudwatch-alarm-single-metric": lacks("source"),
    "sqs-sns-envelope": lacks("source"),
}


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """A cloud with the service that ECS's sample hooks name, and the function."""
    with running(60) as cloud:
        rolling(cloud, "my", push_image(cloud, "my", "v1", APP_VERSION="v1"))
        stable(cloud, "my-cluster", "my")
        request = {"get": "/version", "json": {"version": "v1"}}
        smoke = [{"smoke": {"tasks": {"port": 8080}, "requests": [request]}}]
        wrong = [{"smoke": {"tasks": {"port": 8080}, "requests": [{"get": "/health", "status": 418}]}}]
        unready = [{"smoke": {"tasks": {"port": 81}, "within": "10m", "requests": [{"get": "/health"}]}}]
        checks = {"after-allow-test-traffic": smoke, "before-allow-traffic": wrong, "after-allow-traffic": unready}
        path = releases(
            tmp_path_factory.mktemp("releases"),
            entry("my", "my", "v1", {"ecs": {}}, checks=checks),
            entry("my-service", "other", "v1", {"ecs": {}}, cluster="my-cluster", checks=checks),
        )
        with lifecycle_hook(cloud.url, path) as function:
            yield cloud, function


def outcome(function, event) -> tuple[str, str]:
    """As in the table above."""
    try:
        answer = function.invoke(event)
    except FunctionError as error:
        assert (error.kind, error.type) == ("error", "Sluice.Error")
        return "error", error.message
    if "hookStatus" in answer:
        return answer["hookStatus"], answer["hookDetails"]["reason"]
    assert list(answer) == ["nothing"]
    return "nothing", answer["nothing"]


def test_of_each_sample_event_it_is_written_what_comes_of_it():
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_sample_event_comes_to_what_is_written(native, request, name):
    cloud, function = native
    request.node.clouds = [cloud]
    before = len(calls_of_the_hook(cloud))
    kind, said = outcome(function, (EVENTS / f"{name}.json").read_bytes())
    wanted, text = EXPECTED[name]
    assert kind == {"unreported": "error"}.get(wanted, wanted) and text in said, (kind, said)
    calls = calls_of_the_hook(cloud)[before:]
    taken = [call["operation"] for call in calls if call["operation"].startswith(WRITES) and not call["error"]]
    assert taken == []
    if wanted == "unreported":
        assert [call["operation"] for call in calls] == ["GetDeployment", REPORT]
    elif wanted != "FAILED":
        assert calls == []
    logged(function)
    lines = [line for line in function.log() if line.get("request_id") == function.last_request_id]
    level = {"error": "ERROR", "FAILED": "WARN"}.get(kind, "INFO")
    assert [line["level"] for line in lines if line["message"] == said] == [level], lines


TASK = {"source": "aws.ecs", "detail-type": "ECS Task State Change"}
MALFORMED = [
    ({}, "for an event of EventBridge 'source' is missing"),
    ([], "'source' is missing"),
    ("text", "'source' is missing"),
    ({"source": 1, "detail-type": "x"}, "'source' is missing"),
    ({"DeploymentId": "d-1"}, "'LifecycleEventHookExecutionId' is missing"),
    ({"LifecycleEventHookExecutionId": "eyJ"}, "'DeploymentId' is missing"),
    ({"DeploymentId": 7, "LifecycleEventHookExecutionId": "eyJ"}, "'DeploymentId' is 7, which is no text"),
    ({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": None}, "'LifecycleEventHookExecutionId' is missing"),
    ({"lifecycleStage": "POST_SCALE_UP", "resourceArn": "arn"}, "'serviceArn' is missing"),
    ({"lifecycleStage": 3}, "'lifecycleStage' is 3, which is no text"),
    (TASK, "'lastStatus' is missing"),
    (TASK | {"detail": {"lastStatus": "STOPPED", "taskArn": "arn"}}, "'clusterArn' is missing"),
    (TASK | {"detail": {"lastStatus": "STOPPED", "clusterArn": "arn", "taskArn": {}}}, "'taskArn' is missing"),
    (TASK | {"detail": {"lastStatus": "STOPPED", "clusterArn": "c", "taskArn": "t", "startedBy": [1]}}, "'startedBy' is [1], which"),
    ({"source": "aws.rds", "detail-type": "RDS DB Snapshot Event", "detail": {}}, "'SourceArn' is missing"),
]


@pytest.mark.parametrize("event, named", MALFORMED, ids=[named for _, named in MALFORMED])
def test_a_malformed_event_is_an_error_that_names_the_member(native, event, named):
    cloud, function = native
    before = len(calls_of_the_hook(cloud))
    kind, said = outcome(function, event)
    assert kind == "error" and named in said, said
    assert len(calls_of_the_hook(cloud)) == before


def native_hook(cloud, stage: str) -> dict:
    """As ECS calls it for the service that runs, as if its first deployment were under way."""
    [deployment] = cloud.ecs.list_service_deployments(cluster="my-cluster", service="my")["serviceDeployments"]
    return {
        "executionId": "3a0345ba-b029-404b-890d-7da2a4b266aa", "lifecycleStage": stage,
        "resourceArn": deployment["serviceDeploymentArn"],
        "executionDetails": {
            "serviceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/my-cluster/my",
            "targetServiceRevisionArn": deployment["targetServiceRevisionArn"],
            "testTrafficWeights": {}, "productionTrafficWeights": {},
        },
    }


def flat(hook: dict) -> dict:
    """All members at the top, as the documentation shows them as well."""
    return {name: value for name, value in hook.items() if name != "executionDetails"} | hook["executionDetails"]


@pytest.mark.parametrize("shape", [dict, flat], ids=["executionDetails", "top level"])
def test_a_hook_of_ecs_is_answered_by_what_the_tasks_say(native, request, shape):
    cloud, function = native
    request.node.clouds = [cloud]
    asked = lambda stage: function.invoke(shape(native_hook(cloud, stage)))
    passed = asked("POST_TEST_TRAFFIC_SHIFT")
    assert passed == {"hookStatus": "SUCCEEDED", "hookDetails": {"reason": "smoke: 1 of 1 held (1 requests)"}}
    failed = asked("PRE_PRODUCTION_TRAFFIC_SHIFT")
    assert failed["hookStatus"] == "FAILED" and "status 200 instead of 418" in failed["hookDetails"]["reason"]
    # Nobody listens there: ECS is to ask again, and again, until the time is over.
    later = asked("POST_PRODUCTION_TRAFFIC_SHIFT")
    assert (later["hookStatus"], later["callBackDelay"]) == ("IN_PROGRESS", 15), later
    none = asked("PRE_SCALE_UP")
    assert none["hookStatus"] == "FAILED" and "has no checks for BeforeInstall" in none["hookDetails"]["reason"]


@pytest.mark.parametrize("shape", [dict, flat], ids=["executionDetails", "top level"])
def test_the_hook_of_a_rollback_succeeds_at_once_and_asks_nobody(native, shape):
    cloud, function = native
    hook = native_hook(cloud, "PRODUCTION_TRAFFIC_SHIFT")
    hook["executionDetails"]["productionTrafficWeights"] = {hook["executionDetails"]["targetServiceRevisionArn"]: 0}
    before = len(calls_of_the_hook(cloud))
    assert function.invoke(shape(hook))["hookStatus"] == "SUCCEEDED"
    assert len(calls_of_the_hook(cloud)) == before


@pytest.fixture(scope="module")
def hook():
    """Version 2 waits for verdicts on three hooks, one after the other."""
    with running(20) as cloud:
        secret = json.dumps({"token": SECRET, "short": "ab", "list": [SECRET]})
        cloud.secretsmanager.create_secret(Name="api/smoke", SecretString=secret)
        cloud.secretsmanager.create_secret(Name="plain", SecretString=LONGER)
        scene = blue_green(cloud, "api", "CodeDeployDefault.ECSAllAtOnce")
        revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="v2", APP_HANG="/hangs"))
        yield waiting(scene, revision, "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")


def test_secrets_reach_the_new_tasks_and_nobody_else(hook, request, tmp_path):
    request.node.clouds = [hook.scene.cloud]
    asked = {
        "post": "/echo", "headers": {"authorization": "Bearer secret:api/smoke#token", "x-key": "secret:plain"},
        "body": {"token": "secret:api/smoke#token", "items": [1, "secret:plain"]},
    }
    sent = json.dumps({"token": SECRET, "items": [1, LONGER]}, separators=(",", ":"))
    arrived = {"$.headers.authorization": f"Bearer {SECRET}", "$.headers['x-key']": LONGER, "$.body": sent}
    right = hook.judged(tmp_path, asked | {"json": arrived})
    assert right.verdicts == ["Succeeded"], right.answer
    # An answer that repeats what it was sent is told where it is wrong.
    wrong = hook.judged(tmp_path, asked | {"json": {"$.body": "nothing"}})
    assert wrong.verdicts == ["Failed"]
    assert r'{\"token\":\"[redacted]\",\"items\":[1,\"[redacted]\"]}' in wrong.reason, wrong.reason
    # Nor does half of it stay where a long answer is cut.
    cut = hook.judged(tmp_path, {"post": "/echo", "body": "x" * 188 + " secret:plain", "json": {"$.body": "nothing"}})
    assert cut.reason.count("x") > 180 and "hunter" not in cut.said
    for judged in (right, wrong):
        assert "hunter2" not in judged.said
        assert "hunter2" not in json.dumps(judged.recorder.kept)
        assert sorted(map(str, judged.recorder.bodies("GetSecretValue"))) == ["{'SecretId': 'api/smoke'}", "{'SecretId': 'plain'}"]
    told = [line for line in hook.scene.cloud.timeline() if "CreateSecret" not in line["text"]]
    assert "hunter2" not in json.dumps(told)


@pytest.mark.parametrize("reference, named", [
    ("secret:api/none", "reading the secret api/none: "),
    ("secret:api/smoke#tokn", "the secret api/smoke has no field 'tokn'; it has: "),
    ("secret:plain#token", "the secret plain is not a JSON object, so it has no field 'token'"),
    ("secret:api/smoke#list", "the field 'list' of the secret api/smoke is neither text nor a number"),
])
def test_a_secret_that_cannot_be_had_fails_the_check_and_names_the_reference(hook, tmp_path, reference, named):
    judged = hook.judged(tmp_path, {"get": "/health", "headers": {"authorization": f"Bearer {reference}"}})
    assert judged.verdicts == ["Failed"]
    assert judged.reason.startswith(f"smoke failed: GET {hook.base_url}/health: ") and named in judged.reason
    assert "hunter2" not in judged.said


# An address beside those that hand out credentials, which nobody has: if the guard were gone, this
# test must not ask a machine's real ones. They themselves are refused in process, in Rust.
@pytest.mark.parametrize("base_url", [
    "http://169.254.77.77", "http://[::ffff:169.254.77.77]", "http://169.254.77.77:80",
    # As libc's resolver reads them: the same address.
    "http://2852015437", "http://0xa9fe4d4d", "http://169.254.19789",
])
def test_where_credentials_are_handed_out_nobody_is_asked_however_it_is_written(hook, tmp_path, base_url):
    began = time.monotonic()
    judged = hook.judged(tmp_path, {"get": "/"}, **{"base-url": base_url, "within": "1s"})
    assert judged.verdicts == ["Failed"]
    assert f"GET {base_url}/: " in judged.reason and "a link-local address" in judged.reason
    # No connection was tried: that one would hang.
    assert time.monotonic() - began < 2.5


def test_a_redirect_to_another_origin_is_not_followed(hook, tmp_path):
    away = {"get": "/redirect?to=http://169.254.77.77/x", "follow-redirects": True}
    judged = hook.judged(tmp_path, away)
    assert judged.verdicts == ["Failed"]
    assert "redirects to http://169.254.77.77/x, another origin, which is not followed" in judged.reason


def test_a_name_that_leads_to_this_machine_is_not_asked_away_from_the_local_cloud(hook, tmp_path):
    # An endpoint that does not say that it is on this machine, and leads there nevertheless.
    endpoint = hook.scene.cloud.url.replace("127.0.0.1", "127.1")
    before = len(hook.scene.cloud.timeline())
    path = checked(tmp_path, after_allow_test_traffic=[{"smoke": {"base-url": hook.base_url, "requests": [{"get": "/"}]}}])
    with lifecycle_hook(endpoint, path) as program:
        with pytest.raises(FunctionError) as raised:
            program.invoke(hook.event, time_limit=4)
    assert raised.value.message.endswith("CodeDeploy did not take it in the time that the function has"), raised.value.message
    assert not [line for line in hook.scene.cloud.timeline()[before:] if line["kind"] == "call"]


def test_a_report_that_is_throttled_ten_times_is_made(hook, tmp_path):
    throttles = iter(range(10))

    def report(given: dict) -> dict:
        if next(throttles, None) is not None:
            raise Refused("ThrottlingException")
        return {"lifecycleEventHookExecutionId": given["lifecycleEventHookExecutionId"]}

    judged = hook.judged(tmp_path, {"get": "/health"}, report=report)
    assert judged.answer["verdict"] == "Succeeded" and judged.verdicts == ["Succeeded"] * 11


def test_a_report_that_codedeploy_refuses_is_an_error_that_says_why(hook, tmp_path):
    def report(given: dict) -> dict:
        raise Refused("InvalidLifecycleEventHookExecutionIdException")

    with pytest.raises(FunctionError) as raised:
        hook.judged(tmp_path, {"get": "/health"}, report=report)
    said = "the verdict could not be reported: Succeeded: smoke: 1 of 1 held (1 requests): reporting to the deployment"
    assert raised.value.message.startswith(said)
    assert "InvalidLifecycleEventHookExecutionIdException" in raised.value.message


def test_delivered_twice_at_once_and_once_more_later_a_hook_has_one_verdict(hook, request, tmp_path):
    cloud, event = hook.scene.cloud, hook.event
    request.node.clouds = [cloud]
    before = len(reports(cloud))
    smoke = [{"smoke": {"base-url": hook.base_url, "requests": [{"get": "/health", "json": {"version": "v2"}}]}}]
    events = ("after_allow_test_traffic", "before_allow_traffic", "after_allow_traffic")
    path = checked(tmp_path, **dict.fromkeys(events, smoke))
    with lifecycle_hook(cloud.url, path) as one, lifecycle_hook(cloud.url, path) as two, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda program: program.invoke(event), (one, two)))
        assert [answer["verdict"] for answer in answers] == ["Succeeded", "Succeeded"], answers
        assert reports(cloud)[before:] == ["Succeeded"]
        wait_for(lambda: hook.event != event, 30, "the next hook is called")
        # The late one runs the checks of the hook that waits now, and decides nothing for it.
        one.invoke(event)
        under_way = [e for e in lifecycle(hook.scene, hook.deployment).values() if e["status"] == "InProgress"]
        assert len(under_way) == 1 and under_way[0]["lifecycleEventName"] != answers[0]["event"]
    assert reports(cloud)[before:] == ["Succeeded"]
