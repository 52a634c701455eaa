"""The program of `deployment-state` as Lambda runs it, asked by hand: what it makes of each event, and
that what it has done once it does not do again."""

import pytest
from localcloud import running, wait_for
from programs import Calls, error_of, last_lines, program, sample, with_detail
from scene import blue_green, push_image, task_definition
from test_image_push import EVENTS, by_codedeploy, entry, push_event, releases, stable

START, SUCCESS = "codedeploy-deployment-start-seoul", "codedeploy-deployment-success-seoul"
FOREIGN, NO_ENVELOPE = "is not an event that deployment-state handles", "this is not an event of EventBridge: "


def foreign(detail_type: str, source: str) -> tuple[str, str]:
    return "error", f"'{detail_type}' from '{source}' {FOREIGN}"


def other(what: str) -> tuple[str, str]:
    return "nothing", f"not the begin or end of a deployment: {what}"


NOT_OURS = ("nothing", "no service in releases.yaml is deployed by todolist-codeDeploy/bluegreen-deploy")

# What comes of each file of tests/events: ("nothing", reason) and ("error", text) cost no call of AWS;
# (decision, what is told) is about the service of ECS's samples, which somebody else deployed.
EXPECTED = {
    "cloudwatch-alarm-configuration-change-create": foreign("CloudWatch Alarm Configuration Change", "aws.cloudwatch"),
    "cloudwatch-alarm-lambda-action-metric": ("error", NO_ENVELOPE),
    "cloudwatch-alarm-state-composite": foreign("CloudWatch Alarm State Change", "aws.cloudwatch"),
    "cloudwatch-alarm-state-metric": foreign("CloudWatch Alarm State Change", "aws.cloudwatch"),
    "cloudwatch-alarm-state-metric-math": foreign("CloudWatch Alarm State Change", "aws.cloudwatch"),
    START: NOT_OURS,
    SUCCESS: NOT_OURS,
    "codedeploy-hook": ("error", NO_ENVELOPE),
    "ecr-image-action-delete": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-empty-tag": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-media-types": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-action-push-tag": foreign("ECR Image Action", "aws.ecr"),
    "ecr-image-scan-basic": foreign("ECR Image Scan", "aws.ecr"),
    "ecr-referrer-action-restore": foreign("ECR Referrer Action", "aws.ecr"),
    "ecr-replication-action-success": foreign("ECR Replication Action", "aws.ecr"),
    # Whatever an event says, the deployment has succeeded.
    "ecs-deployment-completed": ("succeeded", ["succeeded"]),
    "ecs-deployment-failed": ("succeeded", ["succeeded"]),
    "ecs-deployment-in-progress": ("succeeded", []),
    "ecs-native-hook-observed-tokyo": ("error", NO_ENVELOPE),
    "ecs-native-hook-post-test-traffic-shift": ("error", NO_ENVELOPE),
    "ecs-native-hook-production-traffic-shift-rollback": ("error", NO_ENVELOPE),
    "ecs-task-state-stopped-fargate-observed": other("ECS Task State Change"),
    "eventbridge-rule-schedule": foreign("Scheduled Event", "aws.events"),
    "inspector2-scan-complete": foreign("Inspector2 Scan", "aws.inspector2"),
    "lambda-destination-onfailure-record": ("error", NO_ENVELOPE),
    "sns-cloudwatch-alarm-single-metric": ("error", NO_ENVELOPE),
    "sqs-sns-envelope": ("error", NO_ENVELOPE),
}


class Stage:
    """`api` under CodeDeploy, and the service that ECS's samples name."""

    def __init__(self, cloud, scene, path: str, function):
        self.cloud, self.scene, self.path, self.function = cloud, scene, path, function

    def asked(self, event) -> tuple[dict, Calls]:
        calls = Calls(self.cloud, "deployment-state")
        return self.function.invoke(event), calls

    def event(self, state: str, deployment: str) -> dict:
        """As CodeDeploy tells it of a deployment of `api`."""
        of = {"application": self.scene.application, "deploymentGroup": self.scene.group, "deploymentId": deployment}
        return with_detail(SUCCESS, state=state, **of)

    def released(self, tag: str, **environment: str) -> str:
        """Pushes an image, which image-push takes; gives the deployment, once CodeDeploy has it."""
        digest = push_image(self.cloud, "api", tag, APP_VERSION=tag, **environment).split("@")[1]
        with program("image-push", self.cloud, self.path) as image_push:
            told = image_push.invoke(push_event("api", tag, digest))["services"]["api"]
        assert told["decision"] == "start", told
        return told["started"]

    def tags(self) -> dict[str, str]:
        """Of the newest revision of `api`."""
        described = self.cloud.ecs.describe_task_definition(taskDefinition="api", include=["TAGS"])
        return {tag["key"]: tag["value"] for tag in described["tags"]}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with running(60) as cloud:
        # As ECS's samples call them: cluster default, service servicetest.
        cloud.ecs.create_cluster(clusterName="default")
        image = push_image(cloud, "servicetest", "v1", APP_VERSION="1")
        revision = cloud.ecs.register_task_definition(**task_definition("servicetest", image))["taskDefinition"]
        cloud.ecs.create_service(
            cluster="default", serviceName="servicetest", taskDefinition=revision["taskDefinitionArn"], desiredCount=1,
            launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        )
        scene = blue_green(cloud, "api", "CodeDeployDefault.ECSAllAtOnce")
        stable(cloud, "default", "servicetest")
        channels = {"notify": {"slack": "#deploys", "alarms": "#ops"}}
        path = releases(
            tmp_path_factory.mktemp("releases"),
            entry("api", "api", "v[0-9]+", by_codedeploy("api"), **channels),
            entry("servicetest", "servicetest", "v[0-9]+", {"ecs": {}}, cluster="default", **channels),
        )
        with program("deployment-state", cloud, path) as function:
            yield Stage(cloud, scene, path, function)


@pytest.fixture
def stage(both, request):
    request.node.clouds = [both.cloud]
    return both


def test_of_each_sample_event_it_is_written_what_comes_of_it():
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_sample_event_comes_to_what_is_written(stage, name):
    kind, wanted = EXPECTED[name]
    calls, event = Calls(stage.cloud, "deployment-state"), (EVENTS / f"{name}.json").read_bytes()
    if kind == "error":
        assert error_of(stage.function, event).startswith(wanted)
    elif kind == "nothing":
        assert stage.function.invoke(event) == {"decision": "nothing", "reason": wanted, "done": []}
        assert [(line["level"], line["message"]) for line in last_lines(stage.function)] == [("INFO", wanted)]
    else:
        answer = stage.function.invoke(event)
        assert (answer["service"], answer["decision"]) == ("servicetest", kind), answer
        assert calls.told() == wanted
    # What others deploy is told, and neither judged nor counted.
    assert calls.written() == []
    assert bool(calls.all()) == (kind not in ("error", "nothing"))


@pytest.mark.parametrize("event, named", [
    ({}, "missing field `source`"),
    ([], "expected struct Envelope"),
    (with_detail(SUCCESS, deploymentId=7), "State-change Notification' cannot be read: invalid type"),
    (sample("ecs-deployment-completed") | {"resources": []}, "'resources' names no service"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_malformed_event_is_an_error_that_names_the_member(stage, event, named):
    calls = Calls(stage.cloud, "deployment-state")
    assert named in error_of(stage.function, event)
    assert calls.all() == []


def test_a_deployment_that_codedeploy_does_not_know_is_nothing(stage):
    answer, calls = stage.asked(stage.event("SUCCESS", "d-2AC3D7I80"))
    assert answer == {"decision": "nothing", "reason": "AWS knows no such deployment (any more)", "done": []}
    assert calls.written() == [] and calls.told() == []


@pytest.mark.parametrize("state", ["READY", "QUEUED"])
def test_a_state_in_between_costs_no_call(stage, state):
    answer, calls = stage.asked(stage.event(state, "d-2AC3D7I80"))
    assert (answer["decision"], answer["reason"]) == other(f"d-2AC3D7I80 is {state}")
    assert calls.all() == []


def test_a_release_is_told_judged_and_counted_once(stage):
    deployment = stage.released("v2")
    answer, calls = stage.asked(stage.event("START", deployment))
    assert (answer["decision"], answer["done"], calls.told()) == ("active", ["message started"], ["started"])
    # An end that has not come yet is one more hint, and the truth is that it is active.
    early, calls = stage.asked(stage.event("SUCCESS", deployment))
    assert (early["decision"], early["done"], calls.written(), calls.told()) == ("active", [], [], [])

    assert stage.scene.ended(deployment)["status"] == "Succeeded"
    answer, calls = stage.asked(stage.event("SUCCESS", deployment))
    assert (answer["decision"], calls.told()) == ("succeeded", ["succeeded"]), answer
    assert calls.written() == ["PutMetricData", "TagResource"]
    [metrics] = calls.inputs("PutMetricData")
    assert metrics["Namespace"] == "Sluice"
    measured = {datum["MetricName"]: datum for datum in metrics["MetricData"]}
    assert set(measured) == {"Deployments", "LeadTime"} and 0 < measured["LeadTime"]["Value"] < 3600
    assert measured["Deployments"]["Dimensions"] == [{"Name": "Service", "Value": "api"}]
    tags = stage.tags()
    assert tags["sluice:verdict"] == "good" and tags["sluice:ended"].startswith("succeeded 20")

    for state in ("SUCCESS", "START", "FAILURE"):
        answer, calls = stage.asked(stage.event(state, deployment))
        assert (answer["decision"], calls.written(), calls.told()) == ("succeeded", [], []), (state, answer)


def test_a_release_that_was_stopped_and_taken_back_is_told_and_counted_once(stage):
    before = stage.scene.versions(1)
    deployment = stage.released("v3", APP_ERROR_RATE="1")
    wait_for(lambda: stage.scene.versions(1) != before, 60, "version 3 has traffic")
    stage.cloud.codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
    assert stage.scene.ended(deployment)["status"] == "Stopped"
    rollback = wait_for(
        lambda: stage.scene.deployment(deployment).get("rollbackInfo", {}).get("rollbackDeploymentId"), 30, "a rollback",
    )
    assert stage.scene.ended(rollback)["status"] == "Succeeded"

    # By the event of its rollback; then all that are late.
    answer, calls = stage.asked(stage.event("SUCCESS", rollback))
    assert (answer["deployment"], answer["decision"], calls.told()) == (deployment, "rolled-back", ["rolled-back"]), answer
    assert calls.written() == ["TagResource", "PutMetricData", "TagResource"]
    names = {datum["MetricName"] for given in calls.inputs("PutMetricData") for datum in given["MetricData"]}
    # Nobody knows of an alarm.
    assert names == {"Deployments", "ChangeFailures", "TimeToRestore", "StopToTrafficBack"}
    tags = stage.tags()
    assert (tags["sluice:verdict"], tags["sluice:ended"].split()[0]) == ("rejected", "rolled-back")
    assert tags["sluice:reason"].startswith("stopped with MANUAL_STOP")

    for state, of in (("STOP", deployment), ("SUCCESS", rollback), ("START", rollback), ("START", deployment)):
        answer, calls = stage.asked(stage.event(state, of))
        assert (answer["decision"], calls.written(), calls.told()) == ("rolled-back", [], []), (state, answer)
    assert stage.scene.versions(10) == {"v2": 10}
