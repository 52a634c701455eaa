"""The program of `image-push` against moto, a simulation of AWS that others wrote, and beside
it against the local cloud: what it asks of AWS must not depend on who simulates.

moto carries out all that the function calls, as far as CreateDeployment and UpdateService,
but for three operations that it lacks: GetDownloadUrlForLayer, ListServiceDeployments and
DescribeServiceRevisions. A proxy answers these as AWS would; and it translates DescribeAlarms,
which moto's server knows, but not in RPC v2 CBOR. All else is moto's own answer. Nothing runs
in moto: its deployments stay at Created, its services do not move; and the digest that it gives
an image is not of the manifest, so it is told which.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import boto3
import pytest
import requests
import yaml
from botocore.config import Config
from localcloud import ACCOUNT, REGION, ROOT, free_port, running, wait_for
from recorder import Recorder, recording
from runtime_api import lambda_environment, lambda_function
from scene import REGISTRY, balanced, digest_of, function, manifest
from test_image_push import push_event, stable

OLD, NEW = "1" * 40, "2" * 40

# It ends when its standard input does, hence with this process.
MOTO = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(sys.argv[1:])
"""


class Moto:
    """As `Cloud`, for what the scenes use of it."""

    def __init__(self, url: str):
        self.url, self.session = url, boto3.Session("AKIATEST", "secret", region_name=REGION)

    def __getattr__(self, service: str):
        if service.startswith("_"):
            raise AttributeError(service)
        client = self.session.client(service, endpoint_url=self.url, config=Config(retries={"total_max_attempts": 1}))
        setattr(self, service, client)
        return client


@contextmanager
def moto_running():
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", MOTO, "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, "moto ended"
        try:
            return requests.get(f"{url}/moto-api/", timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        wait_for(answers, 30, "moto answers")
        yield Moto(url)
    finally:
        process.kill()
        process.wait(10)
        process.stdin.close()


CONFIG = {
    "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
    "config": {"Entrypoint": ["sample-app"]},
}


def push(aws, repository: str, tag: str) -> str:
    """An image; gives its digest, which moto has to be told: its own is not of the manifest."""
    text = manifest(aws, repository, CONFIG | {"author": tag})
    pushed = aws.ecr.put_image(repositoryName=repository, imageManifest=text, imageTag=tag, imageDigest=digest_of(text.encode()))
    return pushed["image"]["imageId"]["imageDigest"]


def task_definition(family: str, container: str, image: str) -> dict:
    """One with much in it that a release must not lose."""
    return {
        "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "512", "memory": "1024",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution", "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/task",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "ephemeralStorage": {"sizeInGiB": 30},
        "volumes": [{"name": "scratch", "host": {}}],
        "containerDefinitions": [
            {
                "name": container, "image": image, "essential": True,
                "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp", "name": "http", "appProtocol": "http"}],
                "environment": [{"name": "STAGE", "value": "production"}, {"name": "EMPTY", "value": ""}],
                "secrets": [{"name": "TOKEN", "valueFrom": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:token-AbCdEf"}],
                "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch", "readOnly": False}],
                "healthCheck": {"command": ["CMD-SHELL", "curl -f localhost:8080/health"], "interval": 10, "timeout": 5, "retries": 3},
                "ulimits": [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}],
                "dockerLabels": {"team": "a \u00fc \"b\""}, "stopTimeout": 60, "cpu": 0,
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": f"/ecs/{family}", "awslogs-region": REGION, "awslogs-stream-prefix": container,
                }},
            },
            {
                "name": "proxy", "image": "public.ecr.aws/nginx/nginx:1.27", "essential": False, "memoryReservation": 64,
                "command": ["nginx", "-g", "daemon off;"], "dependsOn": [{"containerName": container, "condition": "START"}],
            },
        ],
        "tags": [{"key": "team", "value": "payments"}],
    }


def furnish(aws, network: dict, groups: dict[str, str]) -> dict[str, str]:
    """What tests/releases.yaml names; gives the digests of what is to be released.

    `groups` are target groups, of which moto needs none. No tasks: nothing is to run."""
    new = {}
    if isinstance(aws, Moto):
        aws.ecs.create_cluster(clusterName="api-cluster")
    for service, family, container, old, tag, controller in (
        ("api-service", "api", "api", OLD, NEW, "CODE_DEPLOY"), ("worker", "worker", "worker", "v1.0.0", "v1.0.1", "ECS"),
    ):
        aws.ecr.create_repository(repositoryName=service)
        push(aws, service, old)
        image = f"{REGISTRY}/{service}:{old}"
        revision = aws.ecs.register_task_definition(**task_definition(family, container, image))["taskDefinition"]
        balancers = [{"targetGroupArn": groups["blue"], "containerName": container, "containerPort": 8080}]
        aws.ecs.create_service(
            cluster="api-cluster", serviceName=service, taskDefinition=revision["taskDefinitionArn"], desiredCount=0,
            launchType="FARGATE", deploymentController={"type": controller}, networkConfiguration=network,
            **({"loadBalancers": balancers} if controller == "CODE_DEPLOY" else {}),
        )
        new[service] = push(aws, service, tag)
    aws.codedeploy.create_application(applicationName="api-deploy", computePlatform="ECS")
    aws.codedeploy.create_deployment_group(
        applicationName="api-deploy", deploymentGroupName="api-production",
        serviceRoleArn=f"arn:aws:iam::{ACCOUNT}:role/codedeploy", deploymentConfigName="CodeDeployDefault.ECSAllAtOnce",
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        ecsServices=[{"clusterName": "api-cluster", "serviceName": "api-service"}],
        loadBalancerInfo={"targetGroupPairInfoList": [{
            "targetGroups": [{"name": "api-blue"}, {"name": "api-green"}], "prodTrafficRoute": {"listenerArns": [groups["listener"]]},
        }]},
        blueGreenDeploymentConfiguration={
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 1},
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
        },
    )
    for alarm in ("api-5xx-green", "api-latency"):
        aws.cloudwatch.put_metric_alarm(
            AlarmName=alarm, Namespace="test", MetricName=alarm, Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
        )
    return new


def stand_ins(moto: Moto, url) -> dict:
    """What AWS would answer where moto answers 500: the link to an image's configuration, the one
    successful deployment that created the worker, and what it deployed. And DescribeAlarms, which is
    moto's own answer, translated from a protocol that its server knows."""
    def alarms(asked: dict) -> dict:
        answer = moto.cloudwatch.describe_alarms(**asked)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    deployed = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-revision/api-cluster/worker/1"
    return {
        "DescribeAlarms": alarms,
        "GetDownloadUrlForLayer": lambda asked: {
            "downloadUrl": f"{url()}/layer?X-Amz-Signature=0", "layerDigest": asked["layerDigest"],
        },
        "ListServiceDeployments": lambda asked: {"serviceDeployments": [{
            "serviceDeploymentArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/api-cluster/worker/1",
            "serviceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/api-cluster/worker",
            "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/api-cluster",
            "targetServiceRevisionArn": deployed, "status": "SUCCESSFUL", "createdAt": 1760000000,
        }]},
        "DescribeServiceRevisions": lambda asked: {"failures": [], "serviceRevisions": [{
            "serviceRevisionArn": deployed,
            "containerImages": [{"containerName": "worker", "image": f"{REGISTRY}/worker:v1.0.0"}],
        }]},
    }


@contextmanager
def released(aws, recorder: Recorder, path: str):
    """The function before this AWS, and how to tell it of a push."""
    environment = lambda_environment(
        "image-push", AWS_ENDPOINT_URL=recorder.url, SLUICE_RELEASES=path, SLUICE_HOOK_FUNCTION="CodeDeployHook_sluice",
    )
    with lambda_function("image-push", environment) as running_function:
        yield lambda repository, tag, digest: running_function.invoke(push_event(repository, tag, digest))["services"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The example's services in moto and in the local cloud, each with a recording function before it."""
    example = yaml.safe_load((ROOT / "tests" / "releases.yaml").read_text())
    # moto's clock is the machine's, and today may be in the example's freeze; nothing scans in moto.
    del example["services"]["api-production"]["gates"]
    path = tmp_path_factory.mktemp("releases") / "releases.yaml"
    path.write_text(json.dumps(example))
    with moto_running() as moto, running(10) as cloud:
        network = {"awsvpcConfiguration": {
            "subnets": [moto.ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
            "securityGroups": [moto.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
        }}
        scene = balanced(cloud, "api")
        new = furnish(cloud, network, {"blue": scene.blue, "listener": scene.listener})
        assert new == furnish(moto, network, {
            "blue": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/blue/1",
            "listener": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/api/1/1",
        })
        stable(cloud, "api-cluster", "worker")
        # It reports nothing, so the deployment is at its first hook for an hour.
        function(cloud, "CodeDeployHook_sluice", "return None")
        recorder: list[Recorder] = []
        layer = {"/layer?X-Amz-Signature=0": json.dumps(CONFIG).encode()}
        with recording(moto.url, stand_ins(moto, lambda: recorder[0].url), layer) as moto_seen, recording(cloud.url) as cloud_seen:
            recorder.append(moto_seen)
            with released(moto, moto_seen, str(path)) as to_moto, released(cloud, cloud_seen, str(path)) as to_cloud:
                yield Both(moto, cloud, moto_seen, cloud_seen, to_moto, to_cloud, new)


class Both:
    def __init__(self, moto, cloud, moto_seen, cloud_seen, to_moto, to_cloud, new):
        self.moto, self.cloud, self.new = moto, cloud, new
        self.sides = ((moto, moto_seen, to_moto), (cloud, cloud_seen, to_cloud))

    def release(self, repository: str, tag: str, digest: str | None = None) -> tuple["Seen", "Seen"]:
        """moto's side and the local cloud's, of the one service that takes this push."""
        return tuple(self.one(side, repository, tag, digest or self.new[repository]) for side in self.sides)

    def one(self, side, repository: str, tag: str, digest: str) -> "Seen":
        aws, recorder, tell = side
        recorder.kept.clear()
        recorder.stood_in.clear()
        [told] = tell(repository, tag, digest).values()
        image = aws.ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"][0]
        return Seen(told, list(recorder.kept), set(recorder.stood_in), image["imagePushedAt"])


@dataclass
class Seen:
    """What the function answered, and what it asked of AWS."""

    told: dict
    requests: list[tuple[str, dict]]
    stood_in: set[str]
    pushed_at: datetime

    def operations(self) -> Counter:
        return Counter(operation for operation, _ in self.requests)

    def only(self, operation: str) -> dict:
        [body] = [body for name, body in self.requests if name == operation]
        return body

    def sorted(self, operation: str) -> list[str]:
        """The bodies, without what the time of the call decides."""
        bodies = [json.loads(json.dumps(body)) for name, body in self.requests if name == operation]
        for body in bodies:
            body.get("createTimeRange", {}).pop("end", None)
        return sorted(map(json.dumps, bodies))

    def pushed_at_is(self, text: str) -> bool:
        """To a millisecond, which is what a time in floating point may lose."""
        return abs(datetime.fromisoformat(text) - self.pushed_at) <= timedelta(milliseconds=1)

    def registered(self) -> dict:
        """The body of RegisterTaskDefinition without the tag that tells the push's time, which is
        held against the image's own, and without what ECS gives to every container and moto doesn't."""
        body = json.loads(json.dumps(self.only("RegisterTaskDefinition")))
        [told] = [tag for tag in body["tags"] if tag["key"] == "sluice:pushed-at"]
        body["tags"].remove(told)
        assert self.pushed_at_is(told["value"])
        for container in body["containerDefinitions"]:
            assert container.pop("systemControls", []) == []
        return body


@pytest.fixture(scope="module")
def api(both) -> tuple[Seen, Seen]:
    return both.release("api-service", NEW)


@pytest.fixture(scope="module")
def worker(both) -> tuple[Seen, Seen]:
    return both.release("worker", "v1.0.1")


def within(small, large) -> bool:
    """Whether `large` has all of `small`; lists item by item."""
    if isinstance(small, dict):
        return isinstance(large, dict) and all(k in large and within(v, large[k]) for k, v in small.items())
    if isinstance(small, list):
        return isinstance(large, list) and len(small) == len(large) and all(map(within, small, large))
    return small == large


def test_moto_lacks_only_what_is_stood_in_for(api, worker):
    assert api[0].stood_in == {"GetDownloadUrlForLayer", "DescribeAlarms"}
    assert worker[0].stood_in == {"GetDownloadUrlForLayer", "ListServiceDeployments", "DescribeServiceRevisions"}


@pytest.mark.parametrize("engine", ["api", "worker"])
def test_both_simulations_are_asked_the_same_number_of_the_same_calls(request, engine):
    of_moto, of_cloud = request.getfixturevalue(engine)
    assert of_moto.operations() == of_cloud.operations()
    effects = {"RegisterTaskDefinition", "CreateDeployment", "UpdateService"}
    for read in set(of_moto.operations()) - effects - {"DescribeServiceRevisions"}:
        assert of_moto.sorted(read) == of_cloud.sorted(read)


@pytest.mark.parametrize("engine, service, old, new", [
    ("api", "api-service", OLD, NEW), ("worker", "worker", "v1.0.0", "v1.0.1"),
])
def test_the_same_revision_is_registered_in_both_and_nothing_is_lost_of_the_one_before(
    both, request, engine, service, old, new,
):
    of_moto, of_cloud = (seen.registered() for seen in request.getfixturevalue(engine))
    assert of_moto == of_cloud
    image = f"{REGISTRY}/{service}@{both.new[service]}"
    wanted = task_definition(engine, engine, image)
    tags = wanted.pop("tags") + [
        {"key": "sluice:digest", "value": both.new[service]}, {"key": "sluice:tag", "value": new},
        {"key": "sluice:replaces", "value": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{engine}:1"},
    ]
    assert of_moto["tags"] == tags
    assert within(wanted, of_moto)
    # Beside what the user registered there are empty defaults, and nothing else.
    added = {name for name in of_moto if name not in wanted} - {"tags"}
    assert all(of_moto[name] == [] for name in added), added
    stored = both.moto.ecs.describe_task_definition(taskDefinition=f"{engine}:2", include=["TAGS"])
    assert [c["image"] for c in stored["taskDefinition"]["containerDefinitions"]] == [image, "public.ecr.aws/nginx/nginx:1.27"]
    assert [tag for tag in stored["tags"] if tag["key"] != "sluice:pushed-at"] == tags


def test_the_same_deployment_is_created_in_both(both, api):
    orders = []
    for seen in api:
        assert seen.told["decision"] == "start"
        order = dict(seen.only("CreateDeployment"))
        spec = order.pop("revision")["appSpecContent"]
        assert spec["sha256"] == digest_of(spec["content"].encode()).removeprefix("sha256:")
        description, pushed_at = re.fullmatch(r"(.*) pushed (\S+) for api", order.pop("description")).groups()
        assert seen.pushed_at_is(pushed_at)
        orders.append((order, json.loads(spec["content"]), description))
    of_moto, of_cloud = orders
    properties = of_cloud[1]["Resources"][0]["TargetService"]["Properties"]
    # ECS tells both of every service on Fargate; moto only what the service was created with.
    [service] = both.cloud.ecs.describe_services(cluster="api-cluster", services=["api-service"])["services"]
    assert properties.pop("PlatformVersion") == service["platformVersion"]
    assert properties["NetworkConfiguration"]["AwsvpcConfiguration"].pop("AssignPublicIp") == "DISABLED"
    assert of_moto == of_cloud
    assert of_moto[1]["Hooks"] == [{"BeforeInstall": "CodeDeployHook_sluice"}, {"BeforeAllowTraffic": "CodeDeployHook_sluice"}]
    assert of_moto[2] == f"sluice {both.new['api-service']} of api-service: tag {NEW}"
    stored = both.moto.codedeploy.get_deployment(deploymentId=api[0].told["started"])["deploymentInfo"]
    assert (stored["status"], stored["description"].split(" ")[1]) == ("Created", both.new["api-service"])


def test_while_it_is_active_the_same_image_is_nothing_new_and_another_waits_in_both(both, api):
    another = "3" * 40
    for aws, _, _ in both.sides:
        digest = push(aws, "api-service", another)
    for first, again, other in zip(api, both.release("api-service", NEW), both.release("api-service", another, digest), strict=True):
        started = first.told["started"]
        assert again.told == {"decision": "nothing", "reason": f"already being deployed by {started}"}
        assert other.told == {"decision": "wait", "reason": f"the deployment {started} is active on this service"}
        for seen in (again, other):
            assert not {"RegisterTaskDefinition", "CreateDeployment"} & set(seen.operations())


def test_a_service_that_ecs_rolls_is_updated_in_both(both, worker):
    of_moto, of_cloud = (dict(seen.only("UpdateService")) for seen in worker)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    # moto tells no deployment configuration; what ECS tells is sent back as it was.
    assert of_moto.pop("deploymentConfiguration") == breaker
    assert within(breaker | {"maximumPercent": 200, "minimumHealthyPercent": 100}, of_cloud.pop("deploymentConfiguration"))
    revision = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/worker:2"
    assert of_moto == of_cloud == {"cluster": "api-cluster", "service": "worker", "taskDefinition": revision}
    assert [seen.told["started"] for seen in worker] == ["worker:2", "worker:2"]
    [service] = both.moto.ecs.describe_services(cluster="api-cluster", services=["worker"])["services"]
    assert service["taskDefinition"] == revision
