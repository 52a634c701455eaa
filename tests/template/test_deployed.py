"""The template, built and deployed as a user does it: events reach the functions through its
rules, messages reach Slack through its topic and queue, what fails reaches its dead-letter queue."""

import json

import pytest
import yaml

import account as accounts
from localcloud import REGION, wait_for
from scene import blue_green, function, push_image
from template import ROOT

TOKEN = "xoxb-0000-local-bot-token"
HOOK = "CodeDeployHook_sluice_production"

# In the local cloud's Lambda: CodeDeploy calls the hook there, and MiniStack's answers.
HAND_ON = """
request = urllib.request.Request("{url}/2015-03-31/functions/{hook}/invocations", json.dumps(event).encode(), {{
    "authorization": AUTH % ("123456789012", os.environ["AWS_REGION"], "lambda"), "content-type": "application/json",
}})
with urllib.request.urlopen(request, timeout=120) as answer:
    return json.load(answer)
"""


def releases(scene):
    service = {
        "cluster": scene.cluster, "service": scene.name,
        "images": [{"repository": scene.name, "container": "app", "tags": "v[0-9]+"}],
        "deploy": {"codedeploy": {"application": scene.application, "group": scene.group}},
        "checks": {"before-allow-traffic": [{"smoke": {
            "base-url": f"http://localhost:{scene.test_port}", "requests": [{"get": "/health", "status": 200}],
        }}]},
        "alarms": ["api-5xx"], "watch": "30m", "notify": {"slack": "#deploys", "alarms": "#ops"},
    }
    return yaml.safe_dump({"services": {"api": service}})


@pytest.fixture(scope="module")
def deployed(built, parameters, tmp_path_factory):
    """An account with a service under CodeDeploy, version 1 of it live, and Sluice."""
    folder = tmp_path_factory.mktemp("account")
    with accounts.account(folder, speed=20) as account:
        cloud = account.cloud
        cloud.cloudwatch.put_metric_alarm(
            AlarmName="api-5xx", Namespace="App", MetricName="Errors", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
        )
        cloud.cloudwatch.set_alarm_state(AlarmName="api-5xx", StateValue="OK", StateReason="test")
        scene = blue_green(cloud, "api")
        function(cloud, HOOK, HAND_ON.format(url=account.url, hook=HOOK), Timeout=600)
        secret = account.client("secretsmanager").create_secret(Name="slack", SecretString=TOKEN)["ARN"]
        account.deploy(built, releases(scene), {
            **parameters, "SlackSecretArn": secret, "Architecture": accounts.ARCHITECTURE,
        })
        with accounts.bridged(account):
            yield account, scene


def posts(cloud):
    """What Slack shows, as text."""
    return json.dumps(json.loads(cloud.look("slack?format=json")), ensure_ascii=False)


def deployments(scene):
    listed = scene.cloud.codedeploy.list_deployments(
        applicationName=scene.application, deploymentGroupName=scene.group
    )["deployments"]
    infos = [scene.deployment(one) for one in listed]
    return {info["creator"] + " " + info["status"]: info["deploymentId"] for info in infos}


def test_a_push_goes_live_and_slack_hears_of_it(deployed):
    account, scene = deployed
    push_image(scene.cloud, "api", "v2", APP_VERSION="2")
    wait_for(lambda: "user Succeeded" in deployments(scene), 120, "the push becomes a deployment that succeeds")
    verdicts = [call["input"]["status"] for call in scene.cloud.calls("codedeploy", "PutLifecycleEventHookExecutionStatus")]
    assert verdicts == ["Succeeded"]
    assert scene.versions(10) == {"2": 10}
    wait_for(lambda: "v2 is live" in posts(scene.cloud), 60, "Slack is told")
    assert account.waiting("sluice-production-failed") == 0


def test_an_alarm_stops_a_canary_and_slack_hears_of_it(deployed):
    account, scene = deployed
    push_image(scene.cloud, "api", "v3", APP_VERSION="3")
    wait_for(lambda: sorted(scene.weights().values()) == [10, 90], 90, "the canary of v3 takes traffic")
    scene.cloud.cloudwatch.set_alarm_state(AlarmName="api-5xx", StateValue="ALARM", StateReason="test")
    wait_for(lambda: "codeDeployRollback Succeeded" in deployments(scene), 120, "v3 is taken back")
    assert scene.versions(10) == {"2": 10}
    wait_for(lambda: "v3 was rolled back" in posts(scene.cloud), 60, "Slack is told")


def test_an_event_that_a_function_fails_on_reaches_the_dead_letter_queue(deployed):
    account, _ = deployed
    before = account.waiting("sluice-production-failed")
    account.client("lambda").invoke(
        FunctionName="sluice-production-image-push", InvocationType="Event", Payload=b'{"not": "an event"}'
    )
    wait_for(lambda: account.waiting("sluice-production-failed") == before + 1, 60, "it is in the queue")


def test_events_that_no_rule_takes_wake_nothing(deployed):
    account, _ = deployed
    sample = lambda name: json.loads((ROOT / f"tests/events/{name}.json").read_text())
    before = account.handed_over()
    others = ["ecr-image-action-delete", "ecr-referrer-action-restore", "ecs-task-state-stopped-fargate-observed"]
    account.tell(*map(sample, others), sample("ecr-image-action-push-tag"))
    wait_for(lambda: account.handed_over() > before, 30, "the last of them is handed over")
    assert account.handed_over() == before + 1


def test_a_sweep_finds_nothing_that_events_left(deployed):
    account, _ = deployed
    schedule = (ROOT / "tests/events/eventbridge-rule-schedule.json").read_bytes()
    answer = account.client("lambda").invoke(FunctionName="sluice-production-sweep", Payload=schedule)
    swept = json.load(answer["Payload"])
    assert "FunctionError" not in answer, swept
    assert [told["step"] for told in swept["services"]["api"]] in (["nothing"], ["baseline"]), swept


def test_what_the_stack_says_of_itself_is_there(deployed):
    account, _ = deployed
    outputs = account.outputs()
    assert outputs["HookFunctionName"] == HOOK
    assert outputs["TopicArn"] == f"arn:aws:sns:{REGION}:123456789012:sluice-production"
    topics = [topic["TopicArn"] for topic in account.client("sns").list_topics()["Topics"]]
    assert outputs["TopicArn"] in topics and outputs["OnCallTopicArn"] in topics
