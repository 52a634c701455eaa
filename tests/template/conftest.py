"""What the checks of template.yaml share: the transformed template, its stack with the
parameters that `sluice parameters` makes, and the calls that the other tests recorded."""

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

sys.path.append(str(pathlib.Path(__file__).parents[1] / "clients"))

import account
import calls
from template import ACCOUNT, REGION, ROOT, TEMPLATE, Stack, transformed

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
os.environ["SAM_CLI_TELEMETRY"] = "0"


@pytest.fixture(scope="session")
def template():
    return transformed(TEMPLATE.read_text())


def written(releases):
    """What `sluice parameters` makes of a file beside this one."""
    command = [
        TARGET / "debug/sluice", "parameters", pathlib.Path(__file__).parent / releases, "--account", ACCOUNT,
        "--region", REGION, "--task-role", "execution", "--task-role", "task", "--log-group", "/ecs/api",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == "", done.stderr
    return yaml.safe_load(done.stdout)


@pytest.fixture(scope="session")
def parameters():
    scenes, samples = written("releases.yaml"), written("releases-of-samples.yaml")
    lists = {name: sorted({*arns, *samples.get(name, [])}) for name, arns in scenes.items()}
    chosen = {
        "Environment": "production",
        "SlackSecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:slack-a1B2c3",
        "OnCallEmail": "on-call@example.com",
    }
    return {**lists, **chosen}


@pytest.fixture(scope="session")
def built():
    """Where `sam build` put the functions."""
    return account.build(TARGET / "sam-check")


@pytest.fixture(scope="session")
def stack(template, parameters):
    return Stack(template, parameters)


@pytest.fixture(scope="session")
def recorded():
    """Requests to IAM by function, its own and those that Lambda makes with its role."""
    path = TARGET / "calls.jsonl"
    assert path.exists(), f"{path} is not there: tests/run records the calls of all tests in it"
    asked = calls.recorded(path)
    for folder, function in calls.FOLDERS.items():
        asked[function].update(calls.by_lambda(function, folder))
    return asked
