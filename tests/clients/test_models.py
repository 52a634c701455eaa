"""Every modelled operation, asked with requests built from the published models.

A valid request is answered, or refused by an error of the operation's own (there is no
such thing, say); an invalid one is refused with a code; an answer has no member that
the model does not know, and every one that it requires.
"""

import json
from collections import Counter
from functools import cache

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from localcloud import ACCOUNT, REGION, ROOT, running
from requests_from_models import Builder, broken, model_of
from scene import blue_green, function, push_image, queue

MODELLED = json.loads((ROOT / "tests/cloud/models/modelled.json").read_text())
CASES = [(service, name) for service, names in MODELLED.items() for name in names]

# Codes that the services give without declaring them in their models.
COMMON = {
    "ValidationError", "ValidationException", "InvalidParameter", "InvalidParameterValue", "SerializationException",
    "MalformedInput", "NotModelled", "AccessDeniedException", "InvalidAction", "ThrottlingException",
    "InvalidParameterException", "InvalidParameterValueException", "MissingParameter",
    "MissingRequiredParameterException", "MissingRequiredParameter", "NotFound", "ClientException",
    "InvalidAddress", "ResourceNotFound", "InvalidParameterCombination",
}
SUMMARY: Counter = Counter()
SUCCEEDED: set = set()


@pytest.fixture(scope="module")
def world():
    """A cloud with something of everything in it, and its names."""
    with running(10) as cloud:
        scene = blue_green(cloud, "api", config="CodeDeployDefault.ECSAllAtOnce", termination_wait=0)
        image = push_image(cloud, "api", "v2", APP_VERSION="2")
        revision = scene.register(image)
        deployment = scene.deploy(revision)
        scene.ended(deployment)
        url, queue_arn = queue(cloud, "models")
        topic = cloud.sns.create_topic(Name="models")["TopicArn"]
        secret = cloud.secretsmanager.create_secret(Name="models", SecretString="s")["ARN"]
        function(cloud, "models", "return 1")
        cloud.logs.create_log_group(logGroupName="models")
        cloud.logs.create_log_stream(logGroupName="models", logStreamName="models")
        cloud.events.put_rule(Name="models", EventPattern='{"source": ["models"]}')
        cloud.cloudwatch.put_metric_alarm(
            AlarmName="models", Namespace="models", MetricName="m", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )
        database = {"Engine": "mysql", "MasterUsername": "owner", "MasterUserPassword": "a-password"}
        cloud.rds.create_db_instance(
            DBInstanceIdentifier="models", DBInstanceClass="db.t4g.micro", AllocatedStorage=20, **database,
        )
        cloud.rds.create_db_cluster(DBClusterIdentifier="models", **database)
        task = cloud.ecs.list_tasks(cluster=scene.cluster)["taskArns"][0]
        yield cloud, {
            "cluster": scene.cluster, "clusters": [scene.cluster], "clusterName": scene.cluster,
            "service": scene.name, "services": [scene.name], "serviceName": scene.name,
            "taskDefinition": revision, "task": task, "tasks": [task], "familyPrefix": "api",
            "applicationName": scene.application, "applicationNames": [scene.application],
            "deploymentGroupName": scene.group, "deploymentGroupNames": [scene.group],
            "deploymentId": deployment, "deploymentIds": [deployment],
            "targetId": f"{scene.cluster}:{scene.name}", "targetIds": [f"{scene.cluster}:{scene.name}"],
            "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce",
            "repositoryName": "api", "repositoryNames": ["api"], "registryId": ACCOUNT,
            "imageId": {"imageTag": "v2"}, "imageIds": [{"imageTag": "v2"}], "layerDigests": [image.split("@")[1]],
            "LoadBalancerArn": scene.load_balancer, "LoadBalancerArns": [scene.load_balancer],
            "ListenerArn": scene.listener, "ListenerArns": [scene.listener],
            "TargetGroupArn": scene.blue, "TargetGroupArns": [scene.blue], "ResourceArns": [scene.blue],
            "QueueUrl": url, "QueueName": "models", "TopicArn": topic, "TargetArn": topic, "SecretId": secret,
            "FunctionName": "models", "EventSourceArn": queue_arn,
            "logGroupName": "models", "logStreamName": "models", "Rule": "models",
            "DBInstanceIdentifier": "models", "DBClusterIdentifier": "models", "MasterUsername": "owner",
            "MasterUserPassword": "a-password", "Engine": "mysql",
            "ResourceName": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:models",
            "AlarmName": "models", "AlarmNames": ["models"], "AlarmTypes": ["MetricAlarm"],
            "EventPattern": '{"source": ["models"]}',
            "Event": json.dumps({
                "id": "1", "account": ACCOUNT, "source": "models", "time": "2026-01-01T00:00:00Z",
                "region": REGION, "resources": [], "detail-type": "models", "detail": {},
            }),
        }
    print(f"\nmodels: {len(CASES)} operations, {len(SUCCEEDED)} with a success; {dict(SUMMARY)}")


# What must not befall the shared scene: their valid requests go to names that do not exist.
DESTRUCTIVE = ("Delete", "Deregister", "Purge", "Stop", "Remove", "Disable", "Set", "Modify", "Update", "Put", "Untag")


@cache
def unchecking(cloud, service: str):
    """A client that does not check requests itself, and the answers that it got, as they came."""
    config = {"parameter_validation": False, "retries": {"total_max_attempts": 1}, "read_timeout": 30}
    client, raw = cloud.client(service, **config), []
    client.meta.events.register("after-call", lambda http_response, **_: raw.append(http_response))
    return client, raw


def ask(cloud, service: str, operation: str, request: dict):
    """The raw answer of one such request, and its error code."""
    client, raw = unchecking(cloud, service)
    try:
        client._make_api_call(operation, request)
        return raw.pop(), None
    except ClientError as error:
        # SQS: the model's name for it, beside the legacy code that applications see.
        error = error.response["Error"]
        return raw.pop(), error.get("QueryErrorCode", error["Code"])


def names_for(operation: str, known: dict) -> dict:
    if operation.startswith(DESTRUCTIVE):
        return {k: v for k, v in known.items() if k in ("registryId", "EventPattern", "Event", "AlarmTypes")}
    return known


@pytest.mark.parametrize(("service", "operation"), CASES, ids=lambda v: v)
def test_an_operation_answers_as_its_model_says(world, service, operation):
    cloud, known = world
    model = model_of(service).operation_model(operation)
    allowed = COMMON | {e.error_code for e in model.error_shapes} | {e.name for e in model.error_shapes}
    problems = []
    builder = Builder(1, names_for(operation, known))
    requests = [{}]
    if model.input_shape:
        requests = [builder.structure(model.input_shape, full) for full in (False, True)]
    for request in requests:
        raw, code = ask(cloud, service, operation, request)
        SUMMARY["valid"] += 1
        if code is None:
            SUMMARY["valid, succeeded"] += 1
            SUCCEEDED.add((service, operation))
        elif code not in allowed and code.split(".")[-1] not in allowed:
            problems.append(f"valid request refused with the undeclared {code}: {raw.content[:300]!r}")
        elif raw.status_code >= 500 and code != "NotModelled":
            problems.append(f"{raw.status_code}: {raw.content[:300]!r}")
    for what, request in broken(model.input_shape, requests[0]) if model.input_shape else ():
        try:
            raw, code = ask(cloud, service, operation, request)
        except (ParamValidationError, AttributeError, TypeError, ValueError):
            continue  # the client itself cannot write such a request
        SUMMARY["invalid"] += 1
        if code is None or not 400 <= raw.status_code < 500:
            problems.append(f"{what}: answered {raw.status_code} {code}")
    assert not problems, "\n".join(problems)


OTHERS = [(service, name) for service in MODELLED for name in model_of(service).operation_names
          if name not in MODELLED[service]]


@pytest.mark.parametrize("service", MODELLED)
def test_what_is_not_modelled_says_so_by_name(world, service):
    cloud, _ = world
    for name in (name for owner, name in OTHERS if owner == service):
        model = model_of(service).operation_model(name)
        request = Builder(2, {}).structure(model.input_shape, False) if model.input_shape else {}
        if model.has_event_stream_input or model.has_event_stream_output or model.endpoint:
            continue  # these go to a host of their own
        raw, code = ask(cloud, service, name, request)
        SUMMARY["not modelled"] += 1
        assert code == "NotModelled" and raw.status_code == 501, (name, code, raw.content[:200])
        assert name.encode() in raw.content, raw.content
