"""Starts the local cloud as a process, and the clients that talk to it.

A cloud lives within a `with` block; it ends with it, and with this process.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config

from requests_from_models import strangers

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
ACCOUNT = "123456789012"


def binary() -> str:
    """The server's program: `CLOUD_BIN`, or what cargo built."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("CLOUD_BIN", str(target / "debug" / "cloud"))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds: float, told: str):
    """Polls until `what()` is true; gives that value. Raises when `seconds` of real time are over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"not within {seconds} s: {told}")


class Cloud:
    def __init__(self, url: str, speed: float):
        self.url, self.speed = url, speed
        self.succeeded: set[tuple[str, str]] = set()
        self.session = boto3.Session("AKIATEST", "secret", region_name=REGION)

    def client(self, service: str, **config):
        """A boto3 client; each of its answers is held against the published model as it came,
        before the parser drops what it doesn't know."""
        settings = {"retries": {"mode": "standard", "total_max_attempts": 2}, **config}
        client = self.session.client(service, endpoint_url=self.url, config=Config(**settings))
        client.meta.events.register("after-call", self.hold_against_model)
        return client

    def hold_against_model(self, http_response, model, **_):
        if http_response.status_code < 300:
            if not model.has_streaming_output:  # that body is the caller's to read, once
                problems = strangers(http_response.content, http_response.headers, model)
                assert not problems, f"{model.name}: {problems}"
            self.succeeded.add((model.service_model.service_name, model.name))

    def __getattr__(self, service: str):
        """`cloud.ecs`: the boto3 client of that name, made once."""
        if service.startswith("_"):
            raise AttributeError(service)
        client = self.client({"lambda_": "lambda"}.get(service, service))
        setattr(self, service, client)
        return client

    def environment(self) -> dict[str, str]:
        """For command-line clients: this cloud, and no configuration of the machine's."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *command: str, seconds: float = 120) -> subprocess.CompletedProcess:
        """A command of the virtual environment against this cloud."""
        return subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=seconds, check=False,
        )

    def aws(self, *arguments: str, seconds: float = 120) -> dict:
        """The AWS CLI; gives its JSON, raises with its error."""
        done = self.run("aws", *arguments, "--output", "json", seconds=seconds)
        if done.returncode:
            raise AssertionError(f"aws {' '.join(arguments)} exits {done.returncode}: {done.stderr}")
        return json.loads(done.stdout or "{}")

    def look(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}/_cloud/{path}", timeout=10) as answer:
            return answer.read()

    def timeline(self) -> list[dict]:
        return json.loads(self.look("timeline?format=json"))

    def calls(self, service: str, operation: str) -> list[dict]:
        data = [entry["data"] for entry in self.timeline() if entry["kind"] == "call" and entry["data"]]
        return [d for d in data if (d["service"], d["operation"]) == (service, operation)]


@contextmanager
def running(speed: float = 1, seed: int = 0, *options: str):
    """A cloud of its own on a free port."""
    command = [binary(), "--port", "0", "--speed", str(speed), "--seed", str(seed), "--exit-with-parent", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError(f"{command[0]} said {line!r} instead of being ready")
        yield Cloud(line.split()[1], speed)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        process.stdin.close()
        process.stdout.close()
