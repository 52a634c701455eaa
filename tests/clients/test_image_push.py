"""The program of `image-push` as Lambda runs it, against the local cloud."""

import io
import json
import re
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from localcloud import ACCOUNT, ROOT, Cloud, running, wait_for
from runtime_api import FunctionError, function_binary, lambda_environment, lambda_function, serving
from scene import blue_green, digest_of, push_image, queue, received, repository, task_definition

EVENTS = ROOT / "tests" / "events"


def push_event(name: str, tag: str, digest: str) -> dict:
    event = json.loads((EVENTS / "ecr-image-action-push-media-types.json").read_text())
    event["detail"] |= {"repository-name": name, "image-tag": tag, "image-digest": digest}
    return event


def releases(folder, *services: dict) -> str:
    """A releases.yaml of these entries, each by its `name`; gives its path."""
    path = folder / "releases.yaml"
    path.write_text(json.dumps({"services": {service.pop("name"): service for service in map(dict, services)}}, indent=1))
    return str(path)


def entry(name: str, repository: str, tags: str, deploy: dict, **more) -> dict:
    """One service, which is called as it is in ECS unless `more` says otherwise."""
    images = [{"repository": repository, "container": "app", "tags": tags}]
    return {"name": name, "cluster": f"{name}-cluster", "service": name, "images": images, "deploy": deploy} | more


def by_codedeploy(name: str) -> dict:
    return {"codedeploy": {"application": f"{name}-deploy", "group": f"{name}-group"}}


def image_push(cloud: Cloud, path: str, **more: str):
    return lambda_function("image-push", lambda_environment(
        "image-push", AWS_ENDPOINT_URL=cloud.url, SLUICE_RELEASES=path, **more,
    ))


def calls_of_the_function(cloud: Cloud) -> list[str]:
    data = [entry["data"] for entry in cloud.timeline() if entry["kind"] == "call" and entry["data"]]
    return [d["operation"] for d in data if d["caller"] == "ASIAFNimage-push"]


def rolling(cloud: Cloud, name: str, image: str) -> None:
    """A service of the ECS controller without a load balancer, not waited for."""
    cloud.ecs.create_cluster(clusterName=f"{name}-cluster")
    revision = cloud.ecs.register_task_definition(**task_definition(name, image))["taskDefinition"]
    cloud.ecs.create_service(
        cluster=f"{name}-cluster", serviceName=name, taskDefinition=revision["taskDefinitionArn"], desiredCount=1,
        launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )


def stable(cloud: Cloud, cluster: str, name: str) -> None:
    """Waits until the deployment that created a rolling service is over, which is after its tasks run."""
    def over() -> bool:
        listed = cloud.ecs.list_service_deployments(cluster=cluster, service=name)["serviceDeployments"]
        return [deployment["status"] for deployment in listed] == ["SUCCESSFUL"]
    wait_for(over, 60, f"the first deployment of {name} is successful")


# What comes of each file of tests/events: ("nothing", reason), ("error", text), or the decision for a
# service, as (service, decision, reason). The first two cost no call of AWS.
FOREIGN = "is not an event that image-push handles"
NO_ENVELOPE = "this is not an event of EventBridge"
EXPECTED = {
    "cloudwatch-alarm-configuration-change-create": (
        "error", f"'CloudWatch Alarm Configuration Change' from 'aws.cloudwatch' {FOREIGN}",
    ),
    "cloudwatch-alarm-lambda-action-metric": ("error", f"{NO_ENVELOPE} but a CloudWatch alarm's own action: 'detail-type' is missing"),
    "cloudwatch-alarm-state-composite": ("error", f"'CloudWatch Alarm State Change' from 'aws.cloudwatch' {FOREIGN}"),
    "cloudwatch-alarm-state-metric": ("error", f"'CloudWatch Alarm State Change' from 'aws.cloudwatch' {FOREIGN}"),
    "cloudwatch-alarm-state-metric-math": ("error", f"'CloudWatch Alarm State Change' from 'aws.cloudwatch' {FOREIGN}"),
    "codedeploy-deployment-start-seoul": (
        "error", f"'CodeDeploy Deployment State-change Notification' from 'aws.codedeploy' {FOREIGN}",
    ),
    "codedeploy-deployment-success-seoul": (
        "error", f"'CodeDeploy Deployment State-change Notification' from 'aws.codedeploy' {FOREIGN}",
    ),
    "codedeploy-hook": ("error", f"{NO_ENVELOPE} but a hook of CodeDeploy: 'source' is missing"),
    "ecr-image-action-delete": ("nothing", "not a push: DELETE of an image: SUCCESS"),
    "ecr-image-action-push-empty-tag": ("nothing", "the image has no tag"),
    # The repository has this tag on another image: the event's digest is what counts.
    "ecr-image-action-push-media-types": ("node", "refuse", "ECR has no such image (any more); push it again"),
    # ECR's own sample has a digest that is none: the image is looked up by its tag.
    "ecr-image-action-push-tag": ("my-repository-name", "start", "tag latest pushed "),
    "ecr-image-scan-basic": ("nothing", "no service that takes images of tribble-image-scan-test waits for"),
    "ecr-referrer-action-restore": ("nothing", "not a push: ECR Referrer Action"),
    "ecr-replication-action-success": ("nothing", "not a push: ECR Replication Action"),
    "ecs-deployment-completed": ("error", f"'ECS Deployment State Change' from 'aws.ecs' {FOREIGN}"),
    "ecs-deployment-failed": ("error", f"'ECS Deployment State Change' from 'aws.ecs' {FOREIGN}"),
    "ecs-deployment-in-progress": ("error", f"'ECS Deployment State Change' from 'aws.ecs' {FOREIGN}"),
    "ecs-native-hook-observed-tokyo": ("error", f"{NO_ENVELOPE} but a hook of ECS: 'source' is missing"),
    "ecs-native-hook-post-test-traffic-shift": ("error", f"{NO_ENVELOPE} but a hook of ECS: 'source' is missing"),
    "ecs-native-hook-production-traffic-shift-rollback": ("error", f"{NO_ENVELOPE} but a hook of ECS: 'source' is missing"),
    "ecs-task-state-stopped-fargate-observed": ("error", f"'ECS Task State Change' from 'aws.ecs' {FOREIGN}"),
    "eventbridge-rule-schedule": ("error", f"'Scheduled Event' from 'aws.events' {FOREIGN}"),
    # As above: not a digest, so by its tag. The service waits for scans.
    "inspector2-scan-complete": ("sample", "start", "tag latest pushed "),
    "lambda-destination-onfailure-record": ("error", f"{NO_ENVELOPE} but a record of a failed invocation: 'source' is missing"),
    "sns-cloudwatch-alarm-single-metric": ("error", f"{NO_ENVELOPE} but a record of aws:sns: 'source' is missing"),
    "sqs-sns-envelope": ("error", f"{NO_ENVELOPE} but a record of aws:sqs: 'source' is missing"),
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A cloud with what the sample events name, and the function in it."""
    with running(60) as cloud:
        image = push_image(cloud, "node", "20-alpine3.16", APP_VERSION="1")
        rolling(cloud, "node", image)
        repository(cloud, "amazon/amazon-ecs-sample", imageScanningConfiguration={"scanOnPush": True})
        rolling(cloud, "sample", push_image(cloud, "amazon/amazon-ecs-sample", "old", APP_VERSION="1"))
        blue_green(cloud, "my-repository-name")
        for name in ("node", "sample"):
            stable(cloud, f"{name}-cluster", name)
        pushed = {
            "my-repository-name": push_image(cloud, "my-repository-name", "latest", APP_VERSION="2"),
            "sample": push_image(cloud, "amazon/amazon-ecs-sample", "latest", APP_VERSION="2"),
        }
        scanned = {"repositoryName": "amazon/amazon-ecs-sample", "imageId": {"imageTag": "latest"}}
        cloud.ecr.get_waiter("image_scan_complete").wait(**scanned, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        gates = {"scan": {"block": ["CRITICAL"], "wait": "2h"}}
        path = releases(
            tmp_path_factory.mktemp("releases"),
            entry("my-repository-name", "my-repository-name", "latest", by_codedeploy("my-repository-name")),
            entry("node", "node", "20-.*", {"ecs": {}}),
            entry("sample", "amazon/amazon-ecs-sample", "latest", {"ecs": {}}, gates=gates),
            entry("tribble", "tribble-image-scan-test", ".*", {"ecs": {}}),
            entry("untagged", "nudgebee_runbook_sidecar_agent", ".*", {"ecs": {}}),
            entry("alpine", "docker-hub/alpine", ".*", {"ecs": {}}),
            entry("sbom", "sbom", ".*", {"ecs": {}}),
        )
        with image_push(cloud, path) as function:
            yield cloud, function, pushed


def outcome(function, event) -> tuple[str, ...]:
    """As in the table above."""
    try:
        answer = function.invoke(event)
    except FunctionError as error:
        assert (error.kind, error.type) == ("error", "Sluice.Error")
        return "error", error.message
    if "nothing" in answer:
        assert answer["services"] == {}
        return "nothing", answer["nothing"]
    [(service, told)] = answer["services"].items()
    return service, told["decision"], told["reason"]


def test_of_each_sample_event_it_is_written_what_comes_of_it():
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_sample_event_comes_to_what_is_written(samples, request, name):
    cloud, function, pushed = samples
    request.node.clouds = [cloud]
    before = len(calls_of_the_function(cloud))
    came = outcome(function, (EVENTS / f"{name}.json").read_bytes())
    *wanted, text = EXPECTED[name]
    assert list(came[:-1]) == wanted and came[-1].startswith(text), came
    line = logged(function)
    assert came[-1] == line["message"]
    if wanted[0] == "error":
        assert line["level"] == "ERROR"
    elif wanted[0] == "nothing":
        assert line["decision"] == "nothing"
    else:
        assert (line["service"], line["decision"]) == tuple(wanted) and "digest" in line
    calls = calls_of_the_function(cloud)[before:]
    if wanted[0] in ("nothing", "error"):
        assert calls == []
    elif wanted[1] == "refuse":
        assert not {"RegisterTaskDefinition", "CreateDeployment", "UpdateService"} & set(calls)
    else:
        effect, revision = started(cloud, calls)
        definition = cloud.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
        assert [c["image"] for c in definition["containerDefinitions"]] == [pushed[wanted[0]]]
        assert effect == ("UpdateService" if wanted[0] == "sample" else "CreateDeployment")


def logged(function) -> dict:
    """The line that the function wrote of its last event; all it ever wrote must be JSON."""
    def line() -> dict | None:
        return next((line for line in function.log() if line.get("request_id") == function.last_request_id), None)
    return wait_for(line, 5, "a line of the log with the request's id")


def started(cloud: Cloud, calls: list[str]) -> tuple[str, str]:
    """The last call, which is the one that starts something, and the revision it names."""
    if calls[-1] == "UpdateService":
        return calls[-1], cloud.calls("ecs", calls[-1])[-1]["input"]["taskDefinition"]
    content = cloud.calls("codedeploy", calls[-1])[-1]["input"]["revision"]["appSpecContent"]["content"]
    return calls[-1], json.loads(content)["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"]


TWO_FAULTS = """\
services:
  api:
    cluster: api-cluster
    service: api
    images: [{ repository: api, container: app, tags: '[0-9' }]
    deploy: { ecs: {} }
    alarm: [api-5xx]
"""


def start_error(path: str, **more: str):
    environment = lambda_environment("image-push", SLUICE_RELEASES=path, AWS_ENDPOINT_URL="http://127.0.0.1:9", **more)
    with lambda_function("image-push", environment) as function:
        error = function.start_error()
        assert error.type == "Sluice.Configuration"
        assert function.stderr == []
        [line] = function.log()
        assert line["level"] == "ERROR" and error.message in line["message"]
        return error.message


def test_all_faults_of_the_configuration_are_an_init_error_with_file_and_line(tmp_path):
    (tmp_path / "releases.yaml").write_text(TWO_FAULTS)
    message = start_error(str(tmp_path / "releases.yaml"))
    first, tags, alarm = message.splitlines()
    assert first == "the configuration has faults:"
    assert re.search(r"\breleases\.yaml:5:\d+: services\.api\.images\[0\]\.tags: ", tags), tags
    assert re.search(r"\breleases\.yaml:7:\d+: services\.api: .*'?alarm\b.*\balarms\b", alarm), alarm


def test_a_configuration_that_is_not_there_is_an_init_error_that_names_it(tmp_path):
    missing = str(tmp_path / "releases.yaml")
    assert missing in start_error(missing) and "No such file" in start_error(missing)


@pytest.mark.parametrize("deploy", [by_codedeploy("api"), {"ecs": {}}], ids=["codedeploy", "ecs"])
@pytest.mark.parametrize("hook", [{}, {"SLUICE_HOOK_FUNCTION": ""}], ids=["unset", "empty"])
def test_checks_without_a_hook_function_are_an_init_error_that_names_the_variable(tmp_path, hook, deploy):
    checks = {"before-install": [{"migrate": {"container": "app", "command": ["true"]}}]}
    path = releases(
        tmp_path,
        entry("plain", "plain", ".*", by_codedeploy("plain")),
        entry("api", "api", ".*", deploy, checks=checks),
    )
    message = start_error(path, **hook)
    assert "SLUICE_HOOK_FUNCTION is not set" in message and "api asks for checks" in message


@contextmanager
def aws_that_answers(status: int, body: dict):
    """An endpoint that gives every call the same answer; gives its URL."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.close_connection = True
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

    with serving(Handler) as address:
        yield f"http://{address}"


def test_no_log_and_no_error_holds_a_secret_that_aws_echoes(tmp_path):
    path = releases(tmp_path, entry("api", "api", ".*", {"ecs": {}}))
    # As AWS writes them: base64.
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLXdlc3QtMiJHMEUCIQ+tok==",
    }
    signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    echo = f"signed {secrets['AWS_SECRET_ACCESS_KEY']} {secrets['AWS_SESSION_TOKEN']} /?X-Amz-Signature={signature}&x=1"
    answer = {"__type": "InvalidSignatureException", "message": echo}
    with aws_that_answers(400, answer) as url:
        environment = lambda_environment("image-push", AWS_ENDPOINT_URL=url, SLUICE_RELEASES=path, **secrets)
        with lambda_function("image-push", environment) as function:
            with pytest.raises(FunctionError) as raised:
                function.invoke(push_event("api", "v1", digest_of(b"image")))
            wait_for(lambda: function.stdout, 5, "a line of the log")
            function.log()
            said = "\n".join([raised.value.message, *function.stdout, *function.stderr])
    assert "InvalidSignatureException" in raised.value.message and "[redacted]" in raised.value.message
    for secret in (*secrets.values(), signature):
        assert secret not in said


def deployments(cloud: Cloud, name: str) -> list[str]:
    """The ids of CodeDeploy's deployments of a service, once the list has any."""
    def listed() -> list[str]:
        answer = cloud.codedeploy.list_deployments(applicationName=f"{name}-deploy", deploymentGroupName=f"{name}-group")
        return answer["deployments"]
    return wait_for(listed, 30, f"a deployment of {name}")


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_of_three_services_of_one_repository_the_good_one_starts_and_the_others_are_named(cloud, tmp_path):
    blue_green(cloud, "api")
    digest = push_image(cloud, "api", "v2", APP_VERSION="2").split("@")[1]
    path = releases(
        tmp_path,
        entry("api", "api", "v2", by_codedeploy("api")),
        entry("gone", "api", "v2", {"ecs": {}}, cluster="api-cluster"),
        entry("groupless", "api", "v2", by_codedeploy("groupless"), cluster="api-cluster"),
    )
    with image_push(cloud, path) as function:
        with pytest.raises(FunctionError) as raised:
            function.invoke(push_event("api", "v2", digest))
        failed, done = raised.value.message.split(" (done: ")
        assert failed.startswith("groupless: ") and "groupless-deploy/groupless-group" in failed
        assert "ApplicationDoesNotExistException" in failed
        assert "api: start: tag v2 pushed" in done
        assert "gone: refuse: ECS has no such active service; correct 'cluster' and 'service'" in done
        # The same event again: what was started is known, and named once more beside the fault.
        with pytest.raises(FunctionError) as again:
            function.invoke(push_event("api", "v2", digest))
        [created] = deployments(cloud, "api")
        assert f"api: nothing: already being deployed by {created}" in again.value.message
        assert len(cloud.calls("codedeploy", "CreateDeployment")) == 1

        lines = function.log()
        [line] = [line for line in lines if line.get("started")]
        assert (line["service"], line["digest"], line["decision"], line["started"]) == ("api", digest, "start", created)
        assert re.fullmatch(r"[0-9a-f-]{36}", line["request_id"])
        [refused, _] = [line for line in lines if line.get("decision") == "refuse"]
        assert (refused["service"], refused["level"]) == ("gone", "WARN")
        assert {line.get("service") for line in lines if line["level"] == "ERROR"} >= {"groupless"}


def bootstrap_package(config: str) -> bytes:
    """A deployment package that starts the program with this releases.yaml beside it."""
    script = f'#!/bin/sh\nSLUICE_RELEASES="$LAMBDA_TASK_ROOT/releases.yaml" exec "{function_binary("image-push")}"\n'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bootstrap", script)
        archive.writestr("releases.yaml", config)
    return out.getvalue()


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_push_becomes_a_deployment_that_is_live_with_exactly_its_digest(cloud, tmp_path):
    scene = blue_green(cloud, "api", "CodeDeployDefault.ECSAllAtOnce")
    dead = install(cloud, releases(tmp_path, entry("api", "api", "v[0-9]+", by_codedeploy("api"))))
    image = push_image(cloud, "api", "v2", APP_VERSION="2")
    digest = image.split("@")[1]

    [deployment] = deployments(cloud, "api")
    info = scene.ended(deployment)
    assert info["status"] == "Succeeded", info
    assert info["description"].startswith(f"sluice {digest}")
    [live] = [task_set for task_set in scene.task_sets() if task_set["status"] == "PRIMARY"]
    described = cloud.ecs.describe_task_definition(taskDefinition=live["taskDefinition"], include=["TAGS"])
    assert [c["image"] for c in described["taskDefinition"]["containerDefinitions"]] == [image]
    tags = {tag["key"]: tag["value"] for tag in described["tags"]}
    assert tags["sluice:digest"] == digest and tags["sluice:tag"] == "v2"
    assert tags["sluice:replaces"].endswith("task-definition/api:1") and "sluice:pushed-at" in tags
    assert scene.versions(20) == {"2": 20}

    # Of one digest there is one deployment, whatever tags it gets and whoever tells again.
    manifest = cloud.ecr.batch_get_image(repositoryName="api", imageIds=[{"imageDigest": digest}])["images"][0]["imageManifest"]
    cloud.ecr.put_image(repositoryName="api", imageManifest=manifest, imageTag="v3")
    wait_for(lambda: "already live with api:2" in log_of(cloud), 20, "the second push is dealt with")
    assert len(cloud.calls("codedeploy", "CreateDeployment")) == 1
    assert cloud.sqs.receive_message(QueueUrl=dead).get("Messages", []) == []
    foreign_ends_in(cloud, dead)


def install(cloud: Cloud, path: str) -> str:
    """The function, a rule that sends it ECR's pushes (and, as a mistake, what is foreign), and
    the queue for what it cannot handle, whose URL is given."""
    dead, dead_arn = queue(cloud, "unhandled")
    with open(path) as config:
        arn = cloud.lambda_.create_function(
            FunctionName="image-push", Runtime="provided.al2023", Handler="bootstrap", Timeout=30,
            Role=f"arn:aws:iam::{ACCOUNT}:role/image-push", Code={"ZipFile": bootstrap_package(config.read())},
        )["FunctionArn"]
    cloud.lambda_.put_function_event_invoke_config(
        FunctionName="image-push", DestinationConfig={"OnFailure": {"Destination": dead_arn}},
    )
    pattern = {"$or": [
        {"source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": {"action-type": ["PUSH"], "result": ["SUCCESS"]}},
        {"source": ["test.foreign"]},
    ]}
    rule = cloud.events.put_rule(Name="pushes", EventPattern=json.dumps(pattern))["RuleArn"]
    cloud.lambda_.add_permission(
        FunctionName="image-push", StatementId="rule", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule,
    )
    assert cloud.events.put_targets(Rule="pushes", Targets=[{"Id": "f", "Arn": arn}])["FailedEntryCount"] == 0
    return dead


def log_of(cloud: Cloud) -> str:
    events = cloud.logs.filter_log_events(logGroupName="/aws/lambda/image-push")["events"]
    return "\n".join(event["message"] for event in events)


def foreign_ends_in(cloud: Cloud, dead: str) -> None:
    """An event that a wrong rule sends is tried three times, and then lies where a person finds it and why."""
    cloud.events.put_events(Entries=[{"Source": "test.foreign", "DetailType": "Something Else", "Detail": '{"n": 7}'}])
    [record] = received(cloud, dead, 1)
    assert record["requestPayload"]["detail"] == {"n": 7}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    error = record["responsePayload"]
    assert error["errorType"] == "Sluice.Error"
    assert error["errorMessage"].startswith("'Something Else' from 'test.foreign' is not an event that image-push handles")
    assert error["errorMessage"].endswith("correct the rule that sends it here")
