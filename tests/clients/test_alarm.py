"""The program of `alarm` as Lambda runs it, asked by hand: what it makes of each event, and that it
stops what an alarm guards once, and nothing else."""

import json

import pytest
from hooks import SILENT, hook_events
from localcloud import running, wait_for
from programs import Calls, error_of, last_lines, program, sample, with_detail
from scene import blue_green, function, push_image
from test_image_push import EVENTS, by_codedeploy, entry, releases

METRIC, MATH, COMPOSITE = "ServerCpuTooHigh", "TotalNetworkTrafficTooHigh", "ServiceAggregatedAlarm"
ACTION, NOTIFIED = "lambda-demo-metric-alarm", "EXAMPLE"
STATE_CHANGE = "cloudwatch-alarm-state-metric"

# The dialects in which an alarm says that it is red: the sample, and the alarm that it names.
DIALECTS = {
    STATE_CHANGE: METRIC,
    "cloudwatch-alarm-state-metric-math": MATH,
    "cloudwatch-alarm-state-composite": COMPOSITE,
    "cloudwatch-alarm-lambda-action-metric": ACTION,
    "sns-cloudwatch-alarm-single-metric": NOTIFIED,
}

FOREIGN, NEITHER = "is not an event that alarm handles", "this is no state change of an alarm"


def foreign(detail_type: str, source: str) -> tuple[str, str]:
    return "error", f"'{detail_type}' from '{source}' {FOREIGN}"


# What comes of each file of tests/events while nothing was deployed yet and no alarm is red: ("alarm",
# reason) for the service that names it; ("nothing", reason) and ("error", text) cost no call of AWS.
QUIET = ("alarm", "nothing was deployed that could be taken back")
EXPECTED = {
    "cloudwatch-alarm-configuration-change-create": ("nothing", "a CloudWatch Alarm Configuration Change stops nothing"),
    **dict.fromkeys(DIALECTS, QUIET),
    "codedeploy-deployment-start-seoul": foreign("CodeDeploy Deployment State-change Notification", "aws.codedeploy"),
    "codedeploy-deployment-success-seoul": foreign("CodeDeploy Deployment State-change Notification", "aws.codedeploy"),
    "codedeploy-hook": ("error", NEITHER),
    "ecr-image-action-delete": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-empty-tag": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-media-types": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-tag": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-scan-basic": foreign("ECR Image Scan", "aws.ecr"),
    "ecr-referrer-action-restore": foreign("ECR Referrer Action", "aws.ecr"),
    "ecr-replication-action-success": foreign("ECR Replication Action", "aws.ecr"),
    "ecs-deployment-completed": foreign("ECS Deployment State Change", "aws.ecs"),
    "ecs-deployment-failed": foreign("ECS Deployment State Change", "aws.ecs"),
    "ecs-deployment-in-progress": foreign("ECS Deployment State Change", "aws.ecs"),
    "ecs-native-hook-observed-tokyo": ("error", NEITHER),
    "ecs-native-hook-post-test-traffic-shift": ("error", NEITHER),
    "ecs-native-hook-production-traffic-shift-rollback": ("error", NEITHER),
    "ecs-task-state-stopped-fargate-observed": foreign("ECS Task State Change", "aws.ecs"),
    "eventbridge-rule-schedule": foreign("Scheduled Event", "aws.events"),
    "inspector2-scan-complete": foreign("Inspector2 Scan", "aws.inspector2"),
    "lambda-destination-onfailure-record": ("error", NEITHER),
    "sqs-sns-envelope": ("error", "Records of this state change cannot be read: missing field `Sns`"),
}


class Guarded:
    """A service that all the samples' alarms guard, and the function."""

    def __init__(self, cloud, scene, guard):
        self.cloud, self.scene, self.guard = cloud, scene, guard
        self.revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="2"))
        function(cloud, SILENT, "return None")
        for name in (METRIC, MATH, ACTION, NOTIFIED):
            cloud.cloudwatch.put_metric_alarm(
                AlarmName=name, Namespace="Test", MetricName=name, Statistic="Sum", Period=60, EvaluationPeriods=1,
                Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
            )
        cloud.cloudwatch.put_composite_alarm(AlarmName=COMPOSITE, AlarmRule=f"ALARM({METRIC}) OR ALARM({MATH})")
        self.green()

    def state(self, name: str, value: str) -> None:
        self.cloud.cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason="test")

    def green(self) -> None:
        for name in (METRIC, MATH, ACTION, NOTIFIED):
            self.state(name, "OK")

    def red(self, name: str) -> None:
        """A composite alarm by one of those that it is made of."""
        self.state(METRIC if name == COMPOSITE else name, "ALARM")

    def active(self) -> str:
        """A deployment that waits for its first hook, with tasks of its own; the same as long as it does."""
        names = {"applicationName": self.scene.application, "deploymentGroupName": self.scene.group}
        known = self.cloud.codedeploy.get_deployment_group(**names)["deploymentGroupInfo"].get("lastAttemptedDeployment")
        if known and known["status"] == "InProgress" and self.is_release(known["deploymentId"]):
            return known["deploymentId"]
        # A group takes the next one when the rollback of the one before is over.
        busy = self.cloud.codedeploy.exceptions.DeploymentLimitExceededException
        def deployed() -> str | None:
            try:
                return self.scene.deploy(self.revision, {"AfterInstall": SILENT})
            except busy:
                return None
        deployment = wait_for(deployed, 30, "a deployment is taken")
        wait_for(lambda: hook_events(self.cloud, deployment), 30, "its hook is called")
        return deployment

    def is_release(self, deployment: str) -> bool:
        return self.scene.deployment(deployment)["creator"] != "codeDeployRollback"

    def asked(self, event) -> tuple[dict, Calls]:
        """By alarm, what the function decides for `api`; and what it did."""
        calls = Calls(self.cloud, "alarm")
        answer = self.guard.invoke(event)
        assert "nothing" not in answer, answer
        return {name: services["api"] for name, services in answer["alarms"].items()}, calls

    def tags(self) -> dict[str, str]:
        described = self.cloud.ecs.describe_task_definition(taskDefinition=self.revision, include=["TAGS"])
        return {tag["key"]: tag["value"] for tag in described.get("tags", [])}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with running(60) as cloud:
        scene = blue_green(cloud, "api", "CodeDeployDefault.ECSAllAtOnce")
        alarms = [METRIC, MATH, COMPOSITE, ACTION, NOTIFIED, "never-made"]
        more = {"alarms": alarms, "notify": {"slack": "#deploys", "alarms": "#ops"}}
        path = releases(
            tmp_path_factory.mktemp("releases"),
            entry("api", "api", "v[0-9]+", by_codedeploy("api"), **more),
            entry("gone", "gone", "v[0-9]+", {"ecs": {}}, alarms=["of-gone"]),
        )
        with program("alarm", cloud, path) as guard:
            yield Guarded(cloud, scene, guard)


@pytest.fixture
def guarded(both, request):
    """All alarms green."""
    request.node.clouds = [both.cloud]
    both.green()
    return both


def test_of_each_sample_event_it_is_written_what_comes_of_it():
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)


# Before any deployment: pytest runs a file from its top.
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_sample_event_comes_to_what_is_written(guarded, name):
    kind, text = EXPECTED[name]
    calls, event = Calls(guarded.cloud, "alarm"), (EVENTS / f"{name}.json").read_bytes()
    if kind == "error":
        assert error_of(guarded.guard, event).startswith(text)
    elif kind == "nothing":
        assert guarded.guard.invoke(event) == {"nothing": text, "alarms": {}}
    else:
        told = {"decision": "nothing", "reason": text}
        assert guarded.guard.invoke(event) == {"alarms": {DIALECTS[name]: {"api": told}}}
        line = last_lines(guarded.guard)[-1]
        assert (line["decision"], line["service"], line["alarm"], line["message"]) == ("nothing", "api", DIALECTS[name], text)
    assert calls.written() == [] and calls.told() == []
    assert bool(calls.all()) == (kind == "alarm")


@pytest.mark.parametrize("event, named", [
    ({}, "missing field `source`"),
    ([], "expected struct Envelope"),
    ("text", "expected struct Envelope"),
    ({"alarmData": {}}, "alarmData of this state change cannot be read: missing field `alarmName`"),
    ({"Records": [{"Sns": {"Message": "hello"}}]}, "Sns.Message of this state change cannot be read"),
    (with_detail(STATE_CHANGE, state={"value": "ALARM", "timestamp": "yesterday"}), "state.timestamp"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_malformed_event_is_an_error_that_names_the_member(guarded, event, named):
    calls = Calls(guarded.cloud, "alarm")
    assert named in error_of(guarded.guard, event)
    assert calls.all() == []


def test_an_alarm_that_went_green_costs_no_call(guarded):
    deployment = guarded.active()
    change = with_detail(STATE_CHANGE, state={"value": "OK", "timestamp": "2026-01-01T00:00:00.000+0000"})
    told, calls = guarded.asked(change)
    assert told[METRIC] == {"decision": "nothing", "reason": "the alarm went to OK, which stops nothing"}
    assert calls.all() == [] and guarded.scene.deployment(deployment)["status"] == "InProgress"


def muted_until(end: str) -> dict:
    mute = {"mutedByArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:night", "muteWindowEnd": end}
    return with_detail(STATE_CHANGE, muteDetail=mute)


def test_a_muted_alarm_stops_nothing_and_says_who_muted_it(guarded):
    deployment = guarded.active()
    guarded.red(METRIC)
    told, calls = guarded.asked(muted_until("2099-01-01T12:00:00.000+0000"))
    assert told[METRIC]["decision"] == "nothing" and ":alarm-mute-rule:night" in told[METRIC]["reason"]
    guarded.cloud.cloudwatch.disable_alarm_actions(AlarmNames=[METRIC])
    told, more = guarded.asked(sample(STATE_CHANGE))
    guarded.cloud.cloudwatch.enable_alarm_actions(AlarmNames=[METRIC])
    assert told[METRIC]["reason"].startswith("the alarm is muted: "), told
    assert [*calls.written(), *more.written(), *calls.told(), *more.told()] == []
    assert guarded.scene.deployment(deployment)["status"] == "InProgress"


def test_an_alarm_that_was_not_red_since_the_deployment_began_stops_nothing(guarded):
    deployment = guarded.active()
    # The samples are years old: that it was red then is no reason.
    for name, alarm in DIALECTS.items():
        told, calls = guarded.asked(sample(name))
        assert told[alarm] == {
            "decision": "nothing", "reason": f"the alarm is not red, and was not since {deployment} began",
        }
        assert calls.written() == [] and calls.told() == []
    assert guarded.scene.deployment(deployment)["status"] == "InProgress"


def test_an_alarm_that_is_not_there_and_one_of_nobody_stop_nothing(guarded):
    deployment = guarded.active()
    told, calls = guarded.asked(with_detail(STATE_CHANGE, alarmName="never-made"))
    assert told["never-made"] == {"decision": "nothing", "reason": "CloudWatch has no such alarm (any more)"}
    answer = guarded.guard.invoke(with_detail(STATE_CHANGE, alarmName="of-nobody"))
    assert answer == {"alarms": {"of-nobody": {}}}
    assert "no service of releases.yaml names this alarm" in [line["message"] for line in last_lines(guarded.guard)]
    assert calls.written() == [] and guarded.scene.deployment(deployment)["status"] == "InProgress"


def test_a_service_that_is_gone_is_an_error_that_names_it(guarded):
    calls = Calls(guarded.cloud, "alarm")
    message = error_of(guarded.guard, with_detail(STATE_CHANGE, alarmName="of-gone"))
    assert message.startswith("gone: ") and "gone-cluster" in message, message
    assert calls.written() == []


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_of_a_red_alarm_stops_what_is_active_once(guarded, name):
    deployment, alarm = guarded.active(), DIALECTS[name]
    guarded.cloud.ecs.untag_resource(resourceArn=guarded.revision, tagKeys=["sluice:verdict", "sluice:reason"])
    guarded.red(alarm)
    told, calls = guarded.asked(sample(name))
    assert (told[alarm]["decision"], told[alarm]["did"]) == ("stop", deployment), told
    assert calls.inputs("StopDeployment") == [{"deploymentId": deployment, "autoRollbackEnabled": True}]
    assert calls.written() == ["StopDeployment", "TagResource"] and calls.told() == ["alarm-stopped"]
    line = last_lines(guarded.guard)[-1]
    assert (line["level"], line["decision"], line["did"]) == ("WARN", "stop", deployment)
    assert (guarded.tags()["sluice:verdict"], guarded.tags()["sluice:reason"]) == (
        "rejected", f"alarm {alarm}: {told[alarm]['reason']}".replace(",", ""),
    )

    # The same event again, while the deployment is being stopped and after it.
    info = guarded.scene.ended(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    told, calls = guarded.asked(sample(name))
    assert told[alarm]["decision"] == "nothing", told
    assert calls.written() == [] and calls.told() == []


def test_several_alarms_in_one_message_come_to_one_stop(guarded):
    deployment = guarded.active()
    guarded.red(METRIC)
    guarded.red(MATH)
    event = sample("sns-cloudwatch-alarm-single-metric")
    [record] = event["Records"]

    def of(alarm: str) -> dict:
        text = json.dumps(json.loads(record["Sns"]["Message"]) | {"AlarmName": alarm})
        return record | {"Sns": record["Sns"] | {"Message": text}}

    told, calls = guarded.asked({"Records": [of(METRIC), of(MATH)]})
    assert (told[METRIC]["decision"], told[METRIC]["did"]) == ("stop", deployment), told
    stops = [call for call in calls.all() if call["operation"] == "StopDeployment" and not call["error"]]
    # Stopping takes a moment, in which the second alarm may find it active still.
    assert {stop["input"]["deploymentId"] for stop in stops} == {deployment}, told
    assert guarded.scene.ended(deployment)["status"] == "Stopped"
    assert "CreateDeployment" not in calls.written()
    assert guarded.scene.versions(10) == {"1": 10}
