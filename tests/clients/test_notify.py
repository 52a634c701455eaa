"""The program of `notify` behind a topic, a queue and Lambda, in front of the local cloud's Slack."""

import io
import json
import zipfile
from urllib.request import Request, urlopen

import pytest
from localcloud import ACCOUNT, Cloud, wait_for
from runtime_api import function_binary
from scene import push_image, task_definition

TOKEN = "xoxb-0000-local-bot-token"
DIGEST = "sha256:" + "ab" * 32
RELEASES = {
    "services": {
        "api": {
            "cluster": "main", "service": "api",
            "images": [{"repository": "api", "container": "app", "tags": "v[0-9]+"}],
            "deploy": {"ecs": {}}, "notify": {"slack": "#deploys", "alarms": "#ops"},
        },
    },
}
LIVE, BACK = "✅ api: api:v2 is live", "↩️ api: api:v2 was rolled back"


def package() -> bytes:
    """A deployment package that starts the program with its releases.yaml beside it."""
    script = f'#!/bin/sh\nSLUICE_RELEASES="$LAMBDA_TASK_ROOT/releases.yaml" exec "{function_binary("notify")}"\n'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bootstrap", script)
        archive.writestr("releases.yaml", json.dumps(RELEASES))
    return out.getvalue()


class Notify:
    """The topic, the queue with its dead-letter queue, and the function that reads it."""

    # The function works in real time: its 30 s are half an hour at speed 60.
    def __init__(self, cloud: Cloud, secret: str, visibility: int = 1800):
        self.cloud = cloud
        cloud.secretsmanager.create_secret(Name="sluice/slack", SecretString=secret)
        self.dead, dead_arn = self.queue("notify-dead")
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 5})
        self.waiting, arn = self.queue("notify", VisibilityTimeout=str(visibility), RedrivePolicy=redrive)
        self.topic = cloud.sns.create_topic(Name="sluice")["TopicArn"]
        cloud.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        cloud.sns.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="ops@example.com")
        cloud.lambda_.create_function(
            FunctionName="notify", Runtime="provided.al2023", Handler="bootstrap", Timeout=30,
            Role=f"arn:aws:iam::{ACCOUNT}:role/notify", Code={"ZipFile": package()},
            Environment={"Variables": {
                "SLUICE_SLACK_SECRET": "sluice/slack", "SLUICE_SLACK_URL": f"{cloud.url}/_cloud/slack/api",
            }},
        )
        cloud.lambda_.put_function_concurrency(FunctionName="notify", ReservedConcurrentExecutions=1)
        cloud.lambda_.create_event_source_mapping(
            FunctionName="notify", EventSourceArn=arn, FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        image = push_image(cloud, "api", "v2", APP_VERSION="2")
        registered = cloud.ecs.register_task_definition(**task_definition("api", image))
        self.revision = registered["taskDefinition"]["taskDefinitionArn"]

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        url = self.cloud.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        known = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, known["Attributes"]["QueueArn"]

    def publish(self, second: int, kind: str, **members) -> None:
        """As a function of Sluice publishes it."""
        message = {
            "version": 1, "service": "api", "at": f"2026-01-01T10:{second // 60:02}:{second % 60:02}Z",
            "release": {
                "deployment": "d-ABCDEFGHI", "revision": self.revision, "repository": "api", "digest": DIGEST, "tag": "v2",
            },
            "news": {"kind": kind, **members},
        }
        texts = {"default": "a sentence", "sqs": json.dumps(message)}
        self.cloud.sns.publish(
            TopicArn=self.topic, MessageStructure="json", Message=json.dumps(texts), Subject="a subject",
            MessageAttributes={"news": {"DataType": "String", "StringValue": kind}},
        )

    def left(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        known = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(known[name]) for name in names)

    def told(self) -> None:
        wait_for(lambda: self.left(self.waiting) == 0, 60, f"the queue is empty; {self.log()}")

    def setup(self, **what) -> None:
        body = json.dumps(what).encode()
        urlopen(Request(f"{self.cloud.url}/_cloud/slack/setup", body, method="POST"), timeout=10).close()

    def channel(self, name: str) -> list[dict]:
        return json.loads(self.cloud.look("slack?format=json"))["channels"][name]["messages"]

    def shown(self, name: str) -> list[str]:
        """The titles of a channel's messages as they are now."""
        top = [message for message in self.channel(name) if not message["thread_ts"]]
        return [message["blocks"][0]["text"]["text"] for message in top]

    def log(self) -> str:
        events = self.cloud.logs.filter_log_events(logGroupName="/aws/lambda/notify")["events"]
        return "\n".join(event["message"] for event in events)


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_deployment_is_one_message_whatever_befalls_slack(cloud):
    notify = Notify(cloud, json.dumps({"token": TOKEN}))
    # The first request lists the channels, the second looks into the past; the post is made, and its answer lost.
    notify.setup(troubles=[None, None, "answer-lost", {"rate-limited": 1}, "server-error-after"])
    notify.publish(0, "started", reason="tag v2 was pushed")
    notify.told()
    assert notify.shown("deploys") == ["🚀 api: api:v2 is being deployed"], notify.log()

    # Five seconds of the function's time.
    notify.setup(outage_seconds=300)
    notify.publish(720, "succeeded", lead_time="PT12M")
    notify.publish(900, "rolled-back", reason="the alarm <!channel> api-5xx", to=None)
    notify.publish(0, "started", reason="tag v2 was pushed")
    notify.told()
    assert notify.shown("deploys") == [BACK] and notify.shown("ops") == [BACK], notify.log()
    assert [bool(message["thread_ts"]) for message in notify.channel("deploys")] == [False, True]
    assert notify.left(notify.dead) == 0

    described = cloud.ecs.describe_task_definition(taskDefinition=notify.revision, include=["TAGS"])
    tags = {tag["key"]: tag["value"] for tag in described["tags"]}
    assert tags["sluice:thread"].startswith("d-ABCDEFGHI deploy=C0000000001/")

    page = cloud.look("slack").decode()
    assert BACK in page and "&lt;!channel&gt; api-5xx" in page and "(edited)" in page
    lines = cloud.look("timeline").decode()
    assert f"slack #deploys, edited: {BACK}" in lines and "mail to ops@example.com" in lines
    assert TOKEN not in notify.log() and TOKEN not in lines


@pytest.mark.parametrize("cloud", [120], indirect=True)
def test_what_cannot_be_delivered_says_the_way_out_and_ends_in_the_dead_letter_queue(cloud):
    hook = f"{cloud.url}/_cloud/slack/services/T0LOCAL/BC0000000001/localwebhooksecret"
    notify = Notify(cloud, json.dumps({"webhooks": {"#deploys": hook}}), visibility=180)
    cloud.sns.publish(TopicArn=notify.topic, Message="hello")
    notify.publish(0, "succeeded", lead_time=None)
    notify.publish(60, "hook-overdue", event="BeforeAllowTraffic")
    notify.told()
    assert notify.shown("deploys") == [LIVE], notify.log()
    assert notify.left(notify.dead) == 2
    log = notify.log()
    assert 'the secret sluice/slack has no webhook for #ops: add one to \\"webhooks\\"' in log
    assert "the body: is not a message of Sluice" in log and "localwebhooksecret" not in log


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_function_without_its_secret_says_so(cloud):
    notify = Notify(cloud, "xoxb-wrong")
    cloud.lambda_.update_function_configuration(FunctionName="notify", Environment={"Variables": {}})
    notify.publish(0, "succeeded", lead_time=None)
    wait_for(lambda: "SLUICE_SLACK_SECRET is not set" in notify.log(), 30, "the log says what is missing")
