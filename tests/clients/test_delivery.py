"""When and whether something is delivered: retries in time, long polls, permissions."""

import json
import time

import pytest

from localcloud import wait_for
from scene import INDEX, MANIFEST, digest_of, function, queue, received, repository


def test_an_index_before_its_children_is_refused(cloud):
    repository(cloud, "early")
    child = {"mediaType": MANIFEST, "digest": digest_of(b"absent"), "size": 6}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]})
    with pytest.raises(cloud.ecr.exceptions.ReferencedImagesNotFoundException):
        cloud.ecr.put_image(repositoryName="early", imageManifest=index, imageTag="v1")


def test_a_long_poll_answers_when_a_message_comes_or_its_time_is_over(cloud):
    url, _ = queue(cloud, "polled")

    def poll() -> tuple[list[str], float]:
        begun = time.monotonic()
        answer = cloud.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        return [m["Body"] for m in answer.get("Messages", [])], (time.monotonic() - begun) * cloud.speed

    bodies, waited = poll()
    assert not bodies and waited >= 19
    cloud.sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=5)
    assert "Messages" not in cloud.sqs.receive_message(QueueUrl=url)
    bodies, waited = poll()
    assert bodies == ["late"] and waited < 19


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_failing_function_is_tried_again_after_one_minute_and_after_two(cloud):
    dead, dead_arn = queue(cloud, "dead")
    body = 'print("tried", flush=True)\nraise ValueError("always")'
    function(cloud, "fails", body, DeadLetterConfig={"TargetArn": dead_arn})
    cloud.lambda_.invoke(FunctionName="fails", InvocationType="Event", Payload=b'{"n": 7}')
    assert received(cloud, dead, 1) == [{"n": 7}]
    lines = cloud.logs.filter_log_events(logGroupName="/aws/lambda/fails", filterPattern="tried")["events"]
    first, second, third = (line["timestamp"] / 1_000 for line in lines)
    assert 60 <= second - first < 120 and 120 <= third - second < 180


def test_a_rule_and_a_topic_reach_a_function_only_with_its_permission_each(cloud):
    refused_rule, refused_rule_arn = queue(cloud, "refused-rule")
    refused_topic, refused_topic_arn = queue(cloud, "refused-topic")
    arn = function(cloud, "listener", 'print("heard", json.dumps(event), flush=True)')
    rule = cloud.events.put_rule(Name="heard", EventPattern='{"source": ["test.heard"]}')["RuleArn"]
    cloud.events.put_targets(
        Rule="heard", Targets=[{"Id": "f", "Arn": arn, "DeadLetterConfig": {"Arn": refused_rule_arn}}],
    )
    topic = cloud.sns.create_topic(Name="heard")["TopicArn"]
    redrive = json.dumps({"deadLetterTargetArn": refused_topic_arn})
    cloud.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn, Attributes={"RedrivePolicy": redrive})

    def tell(when: str) -> None:
        entry = {"Source": "test.heard", "DetailType": "t", "Detail": json.dumps({"what": f"rule, {when}"})}
        assert cloud.events.put_events(Entries=[entry])["FailedEntryCount"] == 0
        cloud.sns.publish(TopicArn=topic, Message=f"topic, {when}")

    def heard() -> str:
        try:
            found = cloud.logs.filter_log_events(logGroupName="/aws/lambda/listener", filterPattern="heard")
        except cloud.logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(event["message"] for event in found["events"])

    tell("before")
    assert received(cloud, refused_rule, 1)[0]["detail"] == {"what": "rule, before"}
    assert received(cloud, refused_topic, 1)[0]["Message"] == "topic, before"
    for sid, principal, source in (("r", "events", rule), ("t", "sns", topic)):
        cloud.lambda_.add_permission(
            FunctionName="listener", StatementId=sid, Action="lambda:InvokeFunction",
            Principal=f"{principal}.amazonaws.com", SourceArn=source,
        )
    tell("after")
    wait_for(lambda: "rule, after" in heard() and "topic, after" in heard(), 20, "both in the function's log")
    assert "before" not in heard()
