"""An account to deploy to: MiniStack (CloudFormation, Lambda, EventBridge, SNS, SQS, S3, Secrets
Manager), and the local cloud for what it has no model of (ECS, ECR, CodeDeploy, CloudWatch).

Both listen on loopback, on free ports, and end with their block. What the local cloud tells its
own event bus is handed on to MiniStack's, where the deployed rules are."""

import contextlib
import io
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

from localcloud import ACCOUNT, REGION, Cloud, free_port, running, wait_for

ROOT = Path(__file__).parents[2]
BIN = Path(sys.prefix) / "bin"

# What MiniStack's functions ask the local cloud for.
MODELLED = ["CLOUDWATCH", "CLOUDWATCH_LOGS", "CODEDEPLOY", "ECR", "ECS", "RDS"]

# What of MiniStack is started.
SERVICES = [
    "cloudformation", "cloudwatch", "events", "iam", "kms", "lambda", "logs", "s3", "secretsmanager", "sns", "sqs", "sts",
]

# Of its own: architectures as SAM calls them.
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]


def tools(**more):
    """The environment of command-line tools: those of this virtual environment first."""
    cargo = Path(shutil.which("cargo")).parent
    return {
        "PATH": f"{BIN}:{cargo}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
        "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true", **more,
    }


def build(target):
    """`sam build` of all functions for this machine, unoptimized; gives the folder."""
    kept = {name: os.environ[name] for name in ("HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR") if name in os.environ}
    environment = tools(
        **kept, SAM_BUILD_MODE="debug", CARGO_LAMBDA_COMPILER="cargo", CARGO_INCREMENTAL="0",
        CARGO_PROFILE_DEV_DEBUG="none", CARGO_PROFILE_DEV_STRIP="symbols", CARGO_PROFILE_DEV_OPT_LEVEL="0",
    )
    command = [
        BIN / "sam", "build", "--template", ROOT / "template.yaml", "--build-dir", target,
        "--config-file", unconfigured(target.parent), "--parameter-overrides", f"Environment=production Architecture={ARCHITECTURE}",
    ]
    run(command, environment, seconds=1200)
    return target


def unconfigured(folder):
    """An empty samconfig.toml: that of the repository is for real accounts."""
    path = folder / "samconfig.toml"
    path.write_text("version = 0.1\n")
    return path


def run(command, environment, seconds):
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


class Account:
    def __init__(self, url, cloud, folder):
        self.url, self.cloud, self.folder = url, cloud, folder
        self.opt = folder / "opt"
        self.session = boto3.Session(ACCOUNT, "secret", region_name=REGION)

    def client(self, service):
        settings = Config(retries={"total_max_attempts": 2}, read_timeout=120)
        return self.session.client(service, endpoint_url=self.url, config=settings)

    def deploy(self, built, releases, parameters):
        """`sam deploy` of what was built, with this releases.yaml in the layer."""
        layer = self.folder / "releases"
        layer.mkdir()
        (layer / "releases.yaml").write_text(releases)
        changed = self.folder / "template.yaml"
        text = re.sub(r"ContentUri: .*", f"ContentUri: {layer}", (built / "template.yaml").read_text())
        changed.write_text(text.replace("CodeUri: ", f"CodeUri: {built}/"))
        given = self.folder / "parameters.yaml"
        given.write_text(json.dumps(parameters))
        command = [
            BIN / "sam", "deploy", "--template-file", changed, "--stack-name", "sluice-production", "--resolve-s3",
            "--capabilities", "CAPABILITY_IAM", "--no-progressbar", "--config-file", unconfigured(self.folder),
            "--no-confirm-changeset", "--region", REGION, "--parameter-overrides", f"file://{given}",
        ]
        run(command, tools(AWS_ENDPOINT_URL=self.url, HOME=str(self.folder)), seconds=300)
        self.unpack_layer()

    def unpack_layer(self):
        """MiniStack gives a function of its own runtime no /opt: the layer that is attached is
        unpacked to where SLUICE_RELEASES points."""
        functions = self.client("lambda")
        attached = functions.get_function_configuration(FunctionName="sluice-production-image-push")["Layers"]
        (layer,) = [version["Arn"] for version in attached]
        content = functions.get_layer_version_by_arn(Arn=layer)["Content"]["Location"]
        with urllib.request.urlopen(content, timeout=30) as answer:
            zipfile.ZipFile(io.BytesIO(answer.read())).extractall(self.opt)

    def outputs(self):
        (stack,) = self.client("cloudformation").describe_stacks(StackName="sluice-production")["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def tell(self, *events):
        """Puts events on the bus as AWS's services do."""
        entries = [
            {
                "Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"]),
                "Resources": event["resources"],
            }
            for event in events
        ]
        for entry in entries:
            answer = self.client("events").put_events(Entries=[entry])
            assert answer["FailedEntryCount"] == 0, answer

    def handed_over(self):
        """How many events rules have given to functions so far, as MiniStack's log tells."""
        log = (self.folder / "ministack.log").read_text()
        return len(re.findall(r"EventBridge .* Lambda .*: dispatched", log))

    def waiting(self, queue):
        """How many messages there are."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        attribute = "ApproximateNumberOfMessages"
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])["Attributes"][attribute])


class Bridge(threading.Thread):
    """Hands on the local cloud's events, until it is stopped."""

    def __init__(self, account):
        super().__init__(daemon=True)
        self.account, self.done, self.handed_on = account, threading.Event(), 0

    def run(self):
        while not self.done.wait(0.2):
            events = [e["data"] for e in self.account.cloud.timeline() if e["kind"] == "event"]
            new, self.handed_on = events[self.handed_on:], len(events)
            self.account.tell(*new)


@contextlib.contextmanager
def bridged(account):
    bridge = Bridge(account)
    bridge.start()
    try:
        yield bridge
    finally:
        bridge.done.set()
        bridge.join(30)


@contextlib.contextmanager
def account(folder, speed):
    with running(speed) as cloud, ministack(folder, cloud) as url:
        yield Account(url, cloud, folder)


@contextlib.contextmanager
def ministack(folder, cloud: Cloud):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (folder / "tmp").mkdir()
    environment = tools(
        HOME=str(folder), TMPDIR=str(folder / "tmp"), BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port),
        MINISTACK_HOST="127.0.0.1", MINISTACK_ACCOUNT_ID=ACCOUNT, MINISTACK_REGION=REGION,
        IOT_MTLS_ENABLED="0", SERVICES=",".join(SERVICES),
        LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2", SLUICE_RELEASES=str(folder / "opt/releases.yaml"),
        SLUICE_SLACK_URL=f"{cloud.url}/_cloud/slack/api", AWS_ENDPOINT_URL=url,
        **{f"AWS_ENDPOINT_URL_{service}": cloud.url for service in MODELLED},
    )
    with open(folder / "ministack.log", "wb") as log:
        process = subprocess.Popen(
            [BIN / "ministack"], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(lambda: process.poll() is not None or healthy(url), 60, "MiniStack answers")
            assert process.poll() is None, (folder / "ministack.log").read_text()[-4000:]
            yield url
        finally:
            end(process)


def healthy(url):
    try:
        with urllib.request.urlopen(f"{url}/_ministack/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def end(process):
    """The server and the functions that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        time.sleep(0.2)
