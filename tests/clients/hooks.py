"""The program of `lifecycle-hook`: asked by hand, or as the function that CodeDeploy calls."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from localcloud import ACCOUNT, Cloud, wait_for
from recorder import Recorder, recording
from runtime_api import function_binary, lambda_environment, lambda_function
from scene import Scene, function
from test_image_push import by_codedeploy, entry, releases

HOOK = "CodeDeployHook_sluice"
SILENT = "CodeDeployHook_silent"
REPORT = "PutLifecycleEventHookExecutionStatus"

# What changes something, by the beginning of its name. A report is what a hook is for.
WRITES = ("Create", "Delete", "Put", "Register", "Run", "Stop", "Tag", "Untag", "Update")


def lifecycle_hook(url: str, path: str):
    """The program with AWS at this address and this releases.yaml, until the block ends."""
    environment = lambda_environment(HOOK, AWS_ENDPOINT_URL=url, SLUICE_RELEASES=path)
    return lambda_function("lifecycle-hook", environment)


def checked(folder, **checks: list[dict]) -> str:
    """A releases.yaml of one service, `api`, with checks by lifecycle event; gives its path."""
    by_event = {event.replace("_", "-"): each for event, each in checks.items()}
    return releases(folder, entry("api", "api", "v2", by_codedeploy("api"), checks=by_event))


def calls_of_the_hook(cloud: Cloud) -> list[dict]:
    data = [line["data"] for line in cloud.timeline() if line["kind"] == "call" and line["data"]]
    return [call for call in data if call["caller"] == f"ASIAFN{HOOK}"]


def reports(cloud: Cloud) -> list[str]:
    """The verdicts that CodeDeploy took, in their order."""
    return [call["input"]["status"] for call in cloud.calls("codedeploy", REPORT) if not call["error"]]


def invocations(cloud: Cloud, name: str = HOOK) -> list[dict]:
    """The starts and ends of a function."""
    lines = [line for line in cloud.timeline() if line["kind"] == "function"]
    return [line for line in lines if line["data"] and line["data"]["function"] == name]


def hook_events(cloud: Cloud, deployment: str) -> list[dict]:
    """What CodeDeploy called functions with for a deployment; a retry is another line."""
    lines = [line["data"] for line in cloud.timeline() if line["kind"] == "function" and line["data"]]
    return [data["event"] for data in lines if data.get("event", {}).get("DeploymentId") == deployment]


def lifecycle(scene: Scene, deployment: str) -> dict[str, dict]:
    """The lifecycle events of a deployment by their names."""
    answer = scene.cloud.codedeploy.batch_get_deployment_targets(
        deploymentId=deployment, targetIds=[f"{scene.cluster}:{scene.name}"],
    )
    events = answer["deploymentTargets"][0]["ecsTarget"]["lifecycleEvents"]
    return {event["lifecycleEventName"]: event for event in events}


def install(cloud: Cloud, path: str, **more) -> Path:
    """The function that answers hooks, and a rule that wakes it when a task of its own has
    ended; gives the file to which each of its processes writes its id."""
    pids = Path(path).with_name("pids")
    pids.touch()
    arn = cloud.lambda_.create_function(
        FunctionName=HOOK, Runtime="provided.al2023", Handler="bootstrap",
        Role=f"arn:aws:iam::{ACCOUNT}:role/lifecycle-hook", Code={"ZipFile": package(path, pids)},
        **{"Timeout": 30, **more},
    )["FunctionArn"]
    stopped = {
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
        "detail": {"lastStatus": ["STOPPED"], "startedBy": [{"prefix": "sluice/"}]},
    }
    rule = cloud.events.put_rule(Name="checks-end", EventPattern=json.dumps(stopped))["RuleArn"]
    cloud.lambda_.add_permission(
        FunctionName=HOOK, StatementId="rule", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule,
    )
    assert cloud.events.put_targets(Rule="checks-end", Targets=[{"Id": "f", "Arn": arn}])["FailedEntryCount"] == 0
    return pids


def package(path: str, pids: Path) -> bytes:
    """A deployment package with the program and this releases.yaml."""
    script = f"""#!/bin/sh
echo $$ >> "{pids}"
SLUICE_RELEASES="$LAMBDA_TASK_ROOT/releases.yaml" exec "{function_binary("lifecycle-hook")}"
"""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bootstrap", script)
        archive.writestr("releases.yaml", Path(path).read_text())
    return out.getvalue()


def log_of(cloud: Cloud) -> list[dict]:
    """What the function itself wrote, each line JSON."""
    events = cloud.logs.filter_log_events(logGroupName=f"/aws/lambda/{HOOK}")["events"]
    return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]


@dataclass
class Judged:
    """What came of one delivery whose verdict CodeDeploy was not told."""

    answer: dict
    said: str  # all that the program wrote and answered
    recorder: Recorder

    @property
    def reason(self) -> str:
        return self.answer["reason"]

    @property
    def verdicts(self) -> list[str]:
        return [body["status"] for body in self.recorder.bodies(REPORT)]


@dataclass
class Waiting:
    """A deployment of version 2 whose hooks nobody answers."""

    scene: Scene
    deployment: str

    @property
    def event(self) -> dict:
        """Of the hook that waits now."""
        return hook_events(self.scene.cloud, self.deployment)[-1]

    @property
    def base_url(self) -> str:
        """The test listener."""
        return f"http://localhost:{self.scene.test_port}"

    def judged(self, folder, *requests: dict, report=lambda given: {}, **smoke) -> Judged:
        """What the function finds with a smoke test of these requests. Its verdict is kept back,
        so that the hook waits on; `report` answers it."""
        check = {"smoke": {"base-url": self.base_url, "within": "3s", "requests": list(requests)} | smoke}
        events = ("after_allow_test_traffic", "before_allow_traffic", "after_allow_traffic")
        path = checked(folder, **dict.fromkeys(events, [check]))
        with (
            recording(self.scene.cloud.url, {REPORT: report}) as recorder,
            lifecycle_hook(recorder.url, path) as program,
        ):
            answer = program.invoke(self.event, time_limit=60, seconds=70)
            said = "\n".join([json.dumps(answer), *program.stdout, *program.stderr])
        assert program.log(), "nothing was logged"
        return Judged(answer, said, recorder)


def waiting(scene: Scene, revision: str, *events: str) -> Waiting:
    """Deploys with hooks at these events; the first one waits."""
    cloud = scene.cloud
    function(cloud, SILENT, "return None")
    deployment = scene.deploy(revision, dict.fromkeys(events, SILENT))
    wait_for(lambda: hook_events(cloud, deployment), 60, "a hook is called")
    return Waiting(scene, deployment)
