"""What goes in comes out: whole, in order, once, and where it belongs."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from localcloud import ACCOUNT, REGION, free_port, running, wait_for
from scene import (
    CONFIG, INDEX, MANIFEST, digest_of, events_to_queue, function, manifest, push_image, queue, received, repository,
    task_definition,
)


def raw(cloud, target: str, service: str, body: bytes) -> tuple[int, dict]:
    """A JSON request as bytes, for what a client would not send."""
    scope = f"Credential=AKIATEST/20260101/{REGION}/{service}/aws4_request"
    request = urllib.request.Request(cloud.url, body, {
        "content-type": "application/x-amz-json-1.1", "x-amz-target": target,
        "authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
    })
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_members_of_a_task_definition_that_nobody_knows_come_back_at_every_depth(cloud):
    definition = task_definition("future", "example/app:1")
    definition["quantumMode"] = {"entangled": [1, 2.5, {"x": None, "y": "z"}]}
    definition["containerDefinitions"][0]["futureLimit"] = 7
    definition["containerDefinitions"][0]["portMappings"][0]["teleport"] = True
    definition["containerDefinitions"][0]["command"] = ["true"]
    target = "AmazonEC2ContainerServiceV20141113."
    status, _ = raw(cloud, target + "RegisterTaskDefinition", "ecs", json.dumps(definition).encode())
    assert status == 200
    status, answer = raw(cloud, target + "DescribeTaskDefinition", "ecs", b'{"taskDefinition": "future"}')
    back = answer["taskDefinition"]
    assert status == 200
    assert back["quantumMode"] == {"entangled": [1, 2.5, {"y": "z"}]}, "null is absence; all else stays"
    assert back["containerDefinitions"][0]["futureLimit"] == 7
    assert back["containerDefinitions"][0]["portMappings"][0]["teleport"] is True
    assert {k: back[k] for k in ("family", "cpu", "memory")} == {"family": "future", "cpu": "256", "memory": "512"}


def test_a_member_that_nobody_knows_is_refused_elsewhere_by_name(cloud):
    status, answer = raw(cloud, "AmazonEC2ContainerServiceV20141113.CreateCluster", "ecs", b'{"clusterNam": "x"}')
    assert (status, answer["__type"]) == (400, "InvalidParameterException")
    assert "clusterNam" in answer["message"]


def test_an_index_is_pushed_after_its_untagged_children(cloud):
    url = events_to_queue(cloud, "pushes", {"source": ["aws.ecr"], "detail": {"action-type": ["PUSH"]}})
    repository(cloud, "multi")
    children = []
    for architecture in ("amd64", "arm64"):
        text = manifest(cloud, "multi", {"architecture": architecture, "os": "linux", "config": {}})
        cloud.ecr.put_image(repositoryName="multi", imageManifest=text, imageDigest=digest_of(text.encode()))
        children.append({
            "mediaType": MANIFEST, "digest": digest_of(text.encode()), "size": len(text),
            "platform": {"os": "linux", "architecture": architecture},
        })
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
    cloud.ecr.put_image(repositoryName="multi", imageManifest=index, imageTag="v1")
    details = [event["detail"] for event in received(cloud, url, 3)]
    assert [d["image-tag"] for d in details] == ["", "", "v1"]
    assert [d["image-digest"] for d in details] == [c["digest"] for c in children] + [digest_of(index.encode())]
    assert details[0]["artifact-media-type"] == CONFIG
    assert details[2]["manifest-media-type"] == INDEX


def test_an_immutable_tag_stays_where_it_is(cloud):
    repository(cloud, "fixed", imageTagMutability="IMMUTABLE")
    first, second = (manifest(cloud, "fixed", {"architecture": "amd64", "os": "linux", "config": {"Env": [v]}}) for v in "ab")
    cloud.ecr.put_image(repositoryName="fixed", imageManifest=first, imageTag="v1")
    with pytest.raises(cloud.ecr.exceptions.ImageTagAlreadyExistsException):
        cloud.ecr.put_image(repositoryName="fixed", imageManifest=second, imageTag="v1")
    found = cloud.ecr.describe_images(repositoryName="fixed", imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert [image["imageDigest"] for image in found] == [digest_of(first.encode())]


def test_a_message_hides_comes_back_and_is_buried_after_two_receives(cloud):
    dead_url, dead_arn = queue(cloud, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, _ = queue(cloud, "work", VisibilityTimeout="30", RedrivePolicy=redrive)
    attribute = {"n": {"DataType": "Number", "StringValue": "1"}}
    cloud.sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attribute)
    first = cloud.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])["Messages"][0]
    assert (first["Body"], first["MessageAttributes"]) == ("x", attribute)
    assert "Messages" not in cloud.sqs.receive_message(QueueUrl=url)
    second = cloud.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, AttributeNames=["All"])
    second = second.get("Messages") or cloud.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert second[0]["MessageId"] == first["MessageId"]

    def buried():
        cloud.sqs.receive_message(QueueUrl=url)
        return cloud.sqs.receive_message(QueueUrl=dead_url, WaitTimeSeconds=5).get("Messages")

    assert wait_for(buried, 20, "the message is buried")[0]["Body"] == "x"


def test_a_topic_fans_out_by_filter_in_its_envelope(cloud):
    topic = cloud.sns.create_topic(Name="news")["TopicArn"]
    (all_url, all_arn), (red_url, red_arn) = queue(cloud, "all"), queue(cloud, "red")
    cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=all_arn)
    only_red = {"FilterPolicy": json.dumps({"colour": ["red"]}), "RawMessageDelivery": "true"}
    cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=red_arn, Attributes=only_red)
    for colour in ("blue", "red"):
        cloud.sns.publish(
            TopicArn=topic, Message=json.dumps({"is": colour}), Subject="news",
            MessageAttributes={"colour": {"DataType": "String", "StringValue": colour}},
        )
    envelopes = received(cloud, all_url, 2)
    assert [json.loads(e["Message"])["is"] for e in envelopes] == ["blue", "red"]
    assert {e["Type"] for e in envelopes} == {"Notification"} and {e["TopicArn"] for e in envelopes} == {topic}
    assert received(cloud, red_url, 1) == [{"is": "red"}]
    assert "Messages" not in cloud.sqs.receive_message(QueueUrl=red_url, WaitTimeSeconds=2)


def test_a_function_that_fails_is_tried_three_times_and_its_event_kept(cloud):
    dead_url, dead_arn = queue(cloud, "dead")
    failed_url, failed_arn = queue(cloud, "failed")
    function(cloud, "fails", 'raise ValueError("no")', DeadLetterConfig={"TargetArn": dead_arn})
    cloud.lambda_.put_function_event_invoke_config(
        FunctionName="fails", DestinationConfig={"OnFailure": {"Destination": failed_arn}},
    )
    cloud.lambda_.invoke(FunctionName="fails", InvocationType="Event", Payload=b'{"n": 1}')
    assert received(cloud, dead_url, 1) == [{"n": 1}]
    record = received(cloud, failed_url, 1)[0]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"] == {"errorType": "ValueError", "errorMessage": "no"}


def test_a_function_answers_times_out_and_says_how_it_died(cloud):
    function(cloud, "adds", 'return event["a"] + event["b"]')
    answer = cloud.lambda_.invoke(FunctionName="adds", Payload=b'{"a": 1, "b": 2}')
    assert (answer["StatusCode"], json.load(answer["Payload"])) == (200, 3)
    function(cloud, "sleeps", "time.sleep(60)", Timeout=1)
    late = cloud.lambda_.invoke(FunctionName="sleeps", Payload=b"{}")
    assert late["FunctionError"] == "Unhandled" and "timed out after 1.00 seconds" in late["Payload"].read().decode()
    function(cloud, "dies", "os._exit(3)")
    dead = cloud.lambda_.invoke(FunctionName="dies", Payload=b"{}")
    assert "exit status 3" in json.load(dead["Payload"])["errorMessage"]
    again = cloud.lambda_.invoke(FunctionName="adds", Payload=b'{"a": 2, "b": 2}')
    assert json.load(again["Payload"]) == 4


def test_a_rule_reaches_a_function_only_with_its_permission(cloud):
    arn = function(cloud, "listens", "return 1")
    rule = cloud.events.put_rule(Name="news", EventPattern='{"source": ["news"]}')["RuleArn"]
    cloud.events.put_targets(Rule="news", Targets=[{"Id": "f", "Arn": arn}])
    event = {"Source": "news", "DetailType": "n", "Detail": "{}"}
    cloud.events.put_events(Entries=[event])
    wait_for(lambda: any("no permission" in e["text"] for e in cloud.timeline()), 10, "the refusal is told")
    assert not [e for e in cloud.timeline() if e["kind"] == "function"]
    cloud.lambda_.add_permission(
        FunctionName="listens", StatementId="rule", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule, SourceAccount=ACCOUNT,
    )
    cloud.events.put_events(Entries=[event])
    wait_for(lambda: any(e["text"] == "listens ends" for e in cloud.timeline()), 20, "the function ran")


def test_a_queue_feeds_a_function_and_only_failed_items_come_back(cloud):
    function(cloud, "takes", """
bad = [r["messageId"] for r in event["Records"] if r["body"] == "bad" and r["attributes"]["ApproximateReceiveCount"] == "1"]
return {"batchItemFailures": [{"itemIdentifier": i} for i in bad]}
""")
    url, arn = queue(cloud, "items", VisibilityTimeout="30")
    for body in ("good", "bad"):
        cloud.sqs.send_message(QueueUrl=url, MessageBody=body)
    cloud.lambda_.create_event_source_mapping(
        FunctionName="takes", EventSourceArn=arn, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"],
    )

    def left():
        counts = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"])

    wait_for(lambda: left() == 0, 30, "both messages are dealt with")
    runs = [e["data"]["event"]["Records"] for e in cloud.timeline() if e["text"] == "takes starts"]
    assert [sorted(r["body"] for r in run) for run in runs] == [["bad", "good"], ["bad"]]


def test_a_one_off_task_ends_with_its_exit_code_and_its_log(cloud):
    cloud.ecs.create_cluster(clusterName="jobs")
    definition = task_definition("job", push_image(cloud, "job", "v1", APP_EXIT_CODE="3"))
    cloud.ecs.register_task_definition(**definition)
    request = {
        "cluster": "jobs", "taskDefinition": "job", "launchType": "FARGATE", "startedBy": "a test",
        "clientToken": "once", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "overrides": {"containerOverrides": [{"name": "app", "command": ["print", "one", "two"]}]},
    }
    task = cloud.ecs.run_task(**request)["tasks"][0]["taskArn"]
    assert cloud.ecs.run_task(**request)["tasks"][0]["taskArn"] == task, "one token, one task"
    cloud.aws("ecs", "wait", "tasks-stopped", "--cluster", "jobs", "--tasks", task)
    ended = cloud.ecs.describe_tasks(cluster="jobs", tasks=[task])["tasks"][0]
    assert (ended["containers"][0]["exitCode"], ended["stopCode"]) == (3, "EssentialContainerExited")
    stream = f"app/app/{task.split('/')[-1]}"
    lines = cloud.logs.get_log_events(logGroupName="/ecs/job", logStreamName=stream, startFromHead=True)["events"]
    assert [line["message"] for line in lines] == ["one", "two"]


def test_a_sample_task_is_any_service_s_one_off_task(cloud):
    cloud.ecs.create_cluster(clusterName="jobs")
    cloud.ecs.register_task_definition(**task_definition("job", push_image(cloud, "job", "v1")))
    command = ["sample-task", "--log", "one", "--log", "two", "--after", "200", "--exit", "5"]
    task = cloud.ecs.run_task(
        cluster="jobs", taskDefinition="job", launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        overrides={"containerOverrides": [{"name": "app", "command": command}]},
    )["tasks"][0]["taskArn"]
    cloud.aws("ecs", "wait", "tasks-stopped", "--cluster", "jobs", "--tasks", task)
    ended = cloud.ecs.describe_tasks(cluster="jobs", tasks=[task])["tasks"][0]
    stream = f"app/app/{task.split('/')[-1]}"
    events = cloud.logs.get_log_events(logGroupName="/ecs/job", logStreamName=stream, startFromHead=True)["events"]
    assert ended["containers"][0]["exitCode"] == 5
    assert [event["message"] for event in events] == ["one", "two"]


def test_an_image_s_container_knows_its_task_by_the_metadata_endpoint(cloud):
    cloud.ecs.create_cluster(clusterName="jobs")
    script = "import os, urllib.request as u; print(u.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4'] + '/task').read().decode())"
    definition = task_definition("curious", push_image(cloud, "curious", "v1", ("python3", "-c", script)))
    cloud.ecs.register_task_definition(**definition)
    task = cloud.ecs.run_task(
        cluster="jobs", taskDefinition="curious", launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )["tasks"][0]["taskArn"]
    cloud.aws("ecs", "wait", "tasks-stopped", "--cluster", "jobs", "--tasks", task)
    stream = f"app/app/{task.split('/')[-1]}"
    events = cloud.logs.get_log_events(logGroupName="/ecs/curious", logStreamName=stream)["events"]
    assert json.loads("".join(e["message"] for e in events))["TaskARN"] == task


def test_a_port_in_use_is_refused_and_nothing_outlives_the_cloud():
    port = free_port()
    with running(30) as cloud:
        cloud.ecs.create_cluster(clusterName="jobs")
        definition = task_definition("stays", push_image(cloud, "stays", "v1", ("sh", "-c", "sleep 4321 & sleep 4321")))
        cloud.ecs.register_task_definition(**definition)
        cloud.ecs.run_task(
            cluster="jobs", taskDefinition="stays", launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        )
        balancer = cloud.elbv2.create_load_balancer(Name="one", Subnets=["a", "b"])["LoadBalancers"][0]
        group = cloud.elbv2.create_target_group(
            Name="one", Protocol="HTTP", Port=80, TargetType="ip", VpcId="vpc",
        )["TargetGroups"][0]["TargetGroupArn"]
        listener = {
            "LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTP", "Port": port,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        }
        cloud.elbv2.create_listener(**listener)
        with pytest.raises(cloud.elbv2.exceptions.DuplicateListenerException):
            cloud.elbv2.create_listener(**listener)
        own = int(cloud.url.rsplit(":", 1)[1])
        with pytest.raises(cloud.elbv2.exceptions.InvalidConfigurationRequestException):
            cloud.elbv2.create_listener(**{**listener, "Port": own})
        wait_for(lambda: sleepers() == 2, 20, "the task's two processes run")
    wait_for(lambda: sleepers() == 0, 10, "they are gone")
    with running(1) as another:
        assert another.url


def sleepers() -> int:
    """How many processes run `sleep 4321`."""
    def command(process: Path) -> bytes:
        try:
            return (process / "cmdline").read_bytes()
        except OSError:
            return b""  # it ended meanwhile
    return sum(command(p) == b"sleep\0" + b"4321\0" for p in Path("/proc").glob("[0-9]*"))
