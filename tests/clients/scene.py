"""Ready scenes, made with boto3 as a user would make them."""

import hashlib
import io
import json
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass

import requests

from localcloud import ACCOUNT, REGION, Cloud, free_port, wait_for

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def upload(cloud: Cloud, repository: str, content: bytes) -> str:
    """A layer or config through ECR's own API; gives its digest."""
    digest = digest_of(content)
    known = cloud.ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
    if any(layer["layerAvailability"] == "AVAILABLE" for layer in known["layers"]):
        return digest
    begun = cloud.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    cloud.ecr.upload_layer_part(
        repositoryName=repository, uploadId=begun,
        partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content,
    )
    cloud.ecr.complete_layer_upload(repositoryName=repository, uploadId=begun, layerDigests=[digest])
    return digest


def manifest(cloud: Cloud, repository: str, config: dict, config_type: str = CONFIG) -> str:
    """An OCI manifest whose config and layer are in the repository."""
    content, layer = json.dumps(config).encode(), b"a layer of nothing"
    return json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {
            "mediaType": config_type, "digest": upload(cloud, repository, content), "size": len(content),
        },
        "layers": [{"mediaType": LAYER, "digest": upload(cloud, repository, layer), "size": len(layer)}],
    })


def repository(cloud: Cloud, name: str, **settings) -> None:
    try:
        cloud.ecr.create_repository(repositoryName=name, **settings)
    except cloud.ecr.exceptions.RepositoryAlreadyExistsException:
        pass


def push_image(cloud: Cloud, name: str, tag: str, entrypoint=("sample-app",), **environment: str) -> str:
    """An image of the sample application with these switches; gives `repository@digest`."""
    repository(cloud, name)
    config = {
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        "config": {
            "Entrypoint": list(entrypoint), "Env": [f"{k}={v}" for k, v in environment.items()],
        },
    }
    text = manifest(cloud, name, config)
    image = cloud.ecr.put_image(repositoryName=name, imageManifest=text, imageTag=tag)["image"]
    return f"{REGISTRY}/{name}@{image['imageId']['imageDigest']}"


def served_by(answer: requests.Response) -> str:
    """The version that answered; `-` where the load balancer did it itself."""
    return answer.json()["version"] if "json" in answer.headers.get("content-type", "") else "-"


@dataclass
class Scene:
    """A service behind a load balancer: names and ARNs."""

    cloud: Cloud
    name: str
    cluster: str
    port: int
    test_port: int
    listener: str
    test_listener: str
    blue: str
    green: str
    load_balancer: str

    @property
    def application(self) -> str:
        return f"{self.name}-deploy"

    @property
    def group(self) -> str:
        return f"{self.name}-group"

    def register(self, image: str) -> str:
        registered = self.cloud.ecs.register_task_definition(**task_definition(self.name, image))
        return registered["taskDefinition"]["taskDefinitionArn"]

    def steady(self) -> None:
        """Waits as `aws ecs wait services-stable` does, but looks more often than every 15 s."""
        self.cloud.ecs.get_waiter("services_stable").wait(
            cluster=self.cluster, services=[self.name], WaiterConfig={"Delay": 1, "MaxAttempts": 90},
        )
        wait_for(lambda: self.versions(1) if self.answers() else None, 30, "the service answers")

    def answers(self) -> bool:
        try:
            return requests.get(f"http://localhost:{self.port}/", timeout=5).ok
        except requests.ConnectionError:
            return False

    def versions(self, count: int, port: int | None = None) -> Counter:
        """How many of so many requests each version answered; an error counts as `<version>!`."""
        counts: Counter = Counter()
        with requests.Session() as session:
            for _ in range(count):
                answer = session.get(f"http://localhost:{port or self.port}/", timeout=10)
                mark = "" if answer.ok else "!"
                counts[served_by(answer) + mark] += 1
        return counts

    def appspec(self, revision: str, hooks: dict[str, str] | None = None) -> str:
        return json.dumps({
            "version": 0.0,
            "Resources": [{"TargetService": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "TaskDefinition": revision,
                    "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8080},
                },
            }}],
            "Hooks": [{event: function} for event, function in (hooks or {}).items()],
        })

    def deploy(self, revision: str, hooks: dict[str, str] | None = None, **more) -> str:
        content = self.appspec(revision, hooks)
        return self.cloud.codedeploy.create_deployment(
            applicationName=self.application, deploymentGroupName=self.group,
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}, **more,
        )["deploymentId"]

    def deployment(self, deployment: str) -> dict:
        return self.cloud.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]

    def ended(self, deployment: str, seconds: float = 90) -> dict:
        """The deployment's information once it has ended."""
        def end():
            info = self.deployment(deployment)
            return info if info["status"] in ("Succeeded", "Failed", "Stopped") else None
        return wait_for(end, seconds, f"{deployment} ends")

    def weights(self) -> dict[str, int]:
        action = self.cloud.elbv2.describe_listeners(ListenerArns=[self.listener])["Listeners"][0]["DefaultActions"][0]
        return {g["TargetGroupArn"]: g.get("Weight", 1) for g in action["ForwardConfig"]["TargetGroups"]}

    def task_sets(self) -> list[dict]:
        return self.cloud.ecs.describe_services(cluster=self.cluster, services=[self.name])["services"][0]["taskSets"]


def task_definition(family: str, image: str) -> dict:
    return {
        "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
        "containerDefinitions": [{
            "name": "app", "image": image, "essential": True, "portMappings": [{"containerPort": 8080}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": f"/ecs/{family}", "awslogs-region": REGION, "awslogs-stream-prefix": "app",
            }},
        }],
    }


def balanced(cloud: Cloud, name: str) -> Scene:
    """Load balancer, two target groups, two listeners, and a cluster."""
    elb = cloud.elbv2
    balancer = elb.create_load_balancer(Name=f"{name}-alb", Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][0]
    assert balancer["DNSName"] == "localhost"

    def group(colour: str) -> str:
        arn = elb.create_target_group(
            Name=f"{name}-{colour}", Protocol="HTTP", Port=8080, TargetType="ip", VpcId="vpc-1",
            HealthCheckPath="/health", HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(
            TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
        )
        return arn

    def listener(port: int, target_group: str) -> str:
        return elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
        )["Listeners"][0]["ListenerArn"]

    blue, green, port, test_port = group("blue"), group("green"), free_port(), free_port()
    cluster = cloud.ecs.create_cluster(clusterName=f"{name}-cluster")["cluster"]["clusterName"]
    return Scene(
        cloud, name, cluster, port, test_port, listener(port, blue), listener(test_port, blue),
        blue, green, balancer["LoadBalancerArn"],
    )


def create_service(scene: Scene, image: str, controller: str, count: int = 2, **more) -> None:
    scene.cloud.ecs.create_service(
        cluster=scene.cluster, serviceName=scene.name, taskDefinition=scene.register(image), desiredCount=count,
        launchType="FARGATE", deploymentController={"type": controller},
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        loadBalancers=[{"targetGroupArn": scene.blue, "containerName": "app", "containerPort": 8080}], **more,
    )


def blue_green(
    cloud: Cloud, name: str, config: str = "CodeDeployDefault.ECSCanary10Percent5Minutes",
    termination_wait: int = 1, alarms: tuple[str, ...] = (), **version: str,
) -> Scene:
    """A service under CodeDeploy that runs version 1 and is steady."""
    scene = balanced(cloud, name)
    image = push_image(cloud, name, "v1", **{"APP_VERSION": "1", **version})
    create_service(scene, image, "CODE_DEPLOY")
    cloud.codedeploy.create_application(applicationName=scene.application, computePlatform="ECS")
    cloud.codedeploy.create_deployment_group(
        applicationName=scene.application, deploymentGroupName=scene.group,
        serviceRoleArn=f"arn:aws:iam::{ACCOUNT}:role/codedeploy", deploymentConfigName=config,
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        ecsServices=[{"clusterName": scene.cluster, "serviceName": name}],
        loadBalancerInfo={"targetGroupPairInfoList": [{
            "targetGroups": [{"name": f"{name}-blue"}, {"name": f"{name}-green"}],
            "prodTrafficRoute": {"listenerArns": [scene.listener]},
            "testTrafficRoute": {"listenerArns": [scene.test_listener]},
        }]},
        blueGreenDeploymentConfiguration={
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE", "terminationWaitTimeInMinutes": termination_wait,
            },
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
        },
        alarmConfiguration={"enabled": bool(alarms), "alarms": [{"name": alarm} for alarm in alarms]},
        autoRollbackConfiguration={"enabled": True, "events": [
            "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST",
        ]},
    )
    scene.steady()
    return scene


class Traffic:
    """Requests to a listener, one after the other, until the block ends."""

    def __init__(self, scene: Scene, pause: float = 0.01):
        self.scene, self.pause, self.counts = scene, pause, Counter()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.go, daemon=True)

    def go(self) -> None:
        with requests.Session() as session:
            while not self.stopped.is_set():
                try:
                    answer = session.get(f"http://localhost:{self.scene.port}/", timeout=10)
                    self.counts[served_by(answer), answer.status_code] += 1
                except requests.RequestException as error:
                    self.counts["-", type(error).__name__] += 1
                time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(15)


HANDLER = '''#!/usr/bin/env python3
"""A function on the real Runtime API, with the standard library alone."""
import json, os, time, urllib.error, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
AUTH = "AWS4-HMAC-SHA256 Credential=%s/20260101/%s/%s/aws4_request, SignedHeaders=host, Signature=0"

def call(service, target, **body):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(body).encode(), {
        "content-type": "application/x-amz-json-1.1", "x-amz-target": target,
        "authorization": AUTH % (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_REGION"], service),
    })
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)

def report(event, status):
    call("codedeploy", "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
         deploymentId=event["DeploymentId"],
         lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"], status=status)

def handle(event):
{body}

while True:
    with urllib.request.urlopen(API + "next") as answer:
        request, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
    try:
        path, out = "/response", handle(event)
    except Exception as error:
        path, out = "/error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    urllib.request.urlopen(API + request + path, json.dumps(out).encode()).close()
'''


def package(body: str) -> bytes:
    """A deployment package whose handler has this body."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bootstrap", HANDLER.replace("{body}", lines))
    return out.getvalue()


def function(cloud: Cloud, name: str, body: str, **more) -> str:
    """A function with this Python as its handler's body; gives its ARN."""
    return cloud.lambda_.create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap",
        Role=f"arn:aws:iam::{ACCOUNT}:role/function", Code={"ZipFile": package(body)},
        **{"Timeout": 10, **more},
    )["FunctionArn"]


def queue(cloud: Cloud, name: str, **attributes: str) -> tuple[str, str]:
    """URL and ARN of a queue."""
    url = cloud.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    attributes = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return url, attributes["QueueArn"]


def events_to_queue(cloud: Cloud, name: str, pattern: dict) -> str:
    """A rule that sends what fits to a queue; gives the queue's URL."""
    url, arn = queue(cloud, name)
    cloud.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    failed = cloud.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])["FailedEntryCount"]
    assert failed == 0
    return url


def received(cloud: Cloud, url: str, count: int, seconds: float = 30) -> list[dict]:
    """The bodies of so many messages, in order of arrival."""
    bodies: list[dict] = []

    def more():
        answer = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in answer.get("Messages", []):
            bodies.append(json.loads(message["Body"]))
            cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(bodies) >= count

    wait_for(more, seconds, f"{count} messages in {url}, {len(bodies)} came")
    return bodies

