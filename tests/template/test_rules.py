"""The rules of template.yaml against real events: which takes which, and that what they take is
what the function at their end handles."""

import copy
import json

import pytest
from moto.events.models import EventPattern, EventPatternParser

from template import ROOT, Stack, edited

EVENTS = ROOT / "tests/events"


def rules(stack):
    """Patterns by the logical name of the rule, without the schedule."""
    every = stack.of_type("AWS::Events::Rule")
    return {name.removesuffix("Rule"): r["EventPattern"] for name, r in every.items() if "EventPattern" in r}


def takers(stack, event):
    found = []
    for name, pattern in rules(stack).items():
        text = json.dumps(pattern)
        if EventPattern(text, EventPatternParser(text).parse()).matches_event(event):
            found.append(name)
    return found


def sample(name, **detail):
    """A real event, with members of its detail changed, or taken out where they are None."""
    event = json.loads((EVENTS / f"{name}.json").read_text())
    for member, value in detail.items():
        member = member.replace("_", "-") if member.replace("_", "-") in event["detail"] else member
        assert member in event["detail"], f"{name} has no {member}"
        if value is None:
            del event["detail"][member]
        else:
            event["detail"][member] = value
    return event


def snapshot(detail_type="RDS DB Snapshot Event", **detail):
    """In the form of RDS's user guide."""
    kind = "CLUSTER_SNAPSHOT" if "Cluster" in detail_type else "SNAPSHOT"
    whole = {
        "EventCategories": ["creation"], "SourceType": kind, "SourceArn": "arn:aws:rds:us-east-1:123456789012:snapshot:x",
        "Date": "2026-01-01T00:00:00Z", "Message": "Manual snapshot created",
        "SourceIdentifier": "sluice-api-db-d-abc123xyz", "EventID": "RDS-EVENT-0042", **detail,
    }
    return {**sample("ecr-image-action-push-tag"), "source": "aws.rds", "detail-type": detail_type, "detail": whole}


# Every file of tests/events; those that no rule may take have none.
REAL = {
    "cloudwatch-alarm-configuration-change-create": [],
    "cloudwatch-alarm-lambda-action-metric": [],
    "cloudwatch-alarm-state-composite": ["Alarm"],
    "cloudwatch-alarm-state-metric": ["Alarm"],
    "cloudwatch-alarm-state-metric-math": ["Alarm"],
    "codedeploy-deployment-start-seoul": ["CodeDeploy"],
    "codedeploy-deployment-success-seoul": ["CodeDeploy"],
    "codedeploy-hook": [],
    "ecr-image-action-delete": [],
    "ecr-image-action-push-empty-tag": [],
    "ecr-image-action-push-media-types": ["Pushed"],
    "ecr-image-action-push-tag": ["Pushed"],
    "ecr-image-scan-basic": ["Scanned"],
    "ecr-referrer-action-restore": [],
    "ecr-replication-action-success": [],
    "ecs-deployment-completed": ["EcsDeployment"],
    "ecs-deployment-failed": ["EcsDeployment"],
    "ecs-deployment-in-progress": ["EcsDeployment"],
    "ecs-native-hook-observed-tokyo": [],
    "ecs-native-hook-post-test-traffic-shift": [],
    "ecs-native-hook-production-traffic-shift-rollback": [],
    "ecs-task-state-stopped-fargate-observed": [],
    "eventbridge-rule-schedule": [],
    "inspector2-scan-complete": ["Inspected"],
    "lambda-destination-onfailure-record": [],
    "sns-cloudwatch-alarm-single-metric": [],
    "sqs-sns-envelope": [],
}

TASK = "ecs-task-state-stopped-fargate-observed"
ALARM = "cloudwatch-alarm-state-metric"
BASIC = "ecr-image-scan-basic"

# Real events with a difference.
VARIED = [
    (sample("ecr-image-action-push-tag", result="FAILURE"), []),
    (sample("ecr-image-action-push-tag", image_tag=None), []),
    (sample("ecr-image-action-push-tag", image_tag=""), []),
    (sample(BASIC, scan_status="FAILED"), ["Scanned"]),
    (sample(BASIC, scan_status="SCANNING"), []),
    (sample("inspector2-scan-complete", repository_name=None), []),
    *((sample("codedeploy-deployment-success-seoul", state=s), ["CodeDeploy"]) for s in ("FAILURE", "STOP", "START")),
    *((sample("codedeploy-deployment-success-seoul", state=s), []) for s in ("READY", "QUEUED")),
    (sample("ecs-deployment-completed", eventName="SERVICE_STEADY_STATE"), []),
    (sample(TASK, startedBy="sluice/api-0123456789abcdef"), ["TaskStopped"]),
    (sample(TASK, startedBy="sluice"), []),
    (sample(TASK, startedBy="sluice/api", lastStatus="RUNNING"), []),
    (sample(TASK, startedBy=None), []),
    (sample(ALARM, state={"value": "OK"}), []),
    (sample(ALARM, state={"value": "INSUFFICIENT_DATA"}), []),
    (snapshot(), ["SnapshotTaken"]),
    (snapshot("RDS DB Cluster Snapshot Event", EventID="RDS-EVENT-0075"), ["SnapshotTaken"]),
    (snapshot(EventID="RDS-EVENT-0040"), []),
    (snapshot(SourceIdentifier="rds:api-db-2026-01-01"), []),
    (snapshot("RDS DB Instance Event"), []),
]


def test_every_real_event_has_its_line():
    assert sorted(REAL) == sorted(path.stem for path in EVENTS.glob("*.json"))


@pytest.mark.parametrize("name", REAL)
def test_a_real_event_is_taken_by_the_rule_for_it_or_by_none(stack, name):
    assert takers(stack, sample(name)) == REAL[name]


@pytest.mark.parametrize("event, expected", VARIED)
def test_what_differs_in_what_matters_is_not_taken(stack, event, expected):
    assert takers(stack, event) == expected


@pytest.mark.parametrize("event", [s for s, expected in VARIED if expected], ids=lambda e: e["detail-type"])
def test_an_event_of_another_source_is_not_taken(stack, event):
    assert takers(stack, {**event, "source": "custom.source"}) == []


def test_every_rule_takes_an_event_that_is_real(stack):
    taken = {name for expected in REAL.values() for name in expected}
    taken |= {name for _, expected in VARIED for name in expected}
    assert taken == set(rules(stack))


def test_every_rule_hands_over_to_one_function_that_lets_it_with_retries_and_a_queue(stack):
    permissions = [p for p in stack.of_type("AWS::Lambda::Permission").values() if p["Principal"] == "events.amazonaws.com"]
    for name, rule in stack.of_type("AWS::Events::Rule").items():
        (target,) = rule["Targets"]
        function = next(
            f for logical, f in stack.of_type("AWS::Lambda::Function").items()
            if stack.attribute(logical, "Arn") == target["Arn"]
        )
        (permission,) = [p for p in permissions if p["SourceArn"] == stack.attribute(name, "Arn")]
        assert permission["FunctionName"] == function["FunctionName"], name
        assert permission["SourceAccount"] == "123456789012" and permission["Action"] == "lambda:InvokeFunction"
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0, name
        assert target["DeadLetterConfig"]["Arn"] == stack.attribute("UndeliveredQueue", "Arn")


MISSPELT = [
    ("PushedRule", ["source"], ["aws.ecs"]),
    ("PushedRule", ["detail-type"], ["ECR Image Actions"]),
    ("PushedRule", ["detail", "action-type"], ["PUSHED"]),
    ("ScannedRule", ["detail", "scan_status"], ["COMPLETE"]),
    ("InspectedRule", ["detail-type"], ["Inspector Scan"]),
    ("TaskStoppedRule", ["detail", "startedBy"], [{"prefix": "Sluice/"}]),
    ("SnapshotTakenRule", ["detail", "EventID"], ["RDS-EVENT-042"]),
    ("AlarmRule", ["detail", "state", "value"], ["Alarm"]),
    ("CodeDeployRule", ["detail", "state"], ["START", "SUCCEEDED", "FAILURE", "STOPPED"]),
    ("EcsDeploymentRule", ["detail", "eventName"], ["SERVICE_DEPLOYMENT_SUCCEEDED"]),
]


@pytest.mark.parametrize("rule, path, value", MISSPELT)
def test_a_misspelt_pattern_is_caught(template, parameters, rule, path, value):
    def plant(resources):
        node = resources[rule]["Properties"]["EventPattern"]
        for member in path[:-1]:
            node = node[member]
        node[path[-1]] = value

    wrong = Stack(edited(template, plant), parameters)
    events = [(sample(name), expected) for name, expected in REAL.items()] + VARIED
    assert any(takers(wrong, copy.deepcopy(event)) != expected for event, expected in events)
