"""Functions' programs asked by hand, one event after the other, and what they did to the local cloud."""

import json

from hooks import WRITES
from localcloud import Cloud, wait_for
from runtime_api import Function, FunctionError, lambda_environment, lambda_function
from test_image_push import EVENTS

MESSAGE = "Publish"


def program(name: str, cloud: Cloud, path: str, **more: str):
    """A function's program with this releases.yaml, and a topic to tell it; until the block ends."""
    topic = cloud.sns.create_topic(Name="sluice")["TopicArn"]
    return lambda_function(name, lambda_environment(
        name, AWS_ENDPOINT_URL=cloud.url, SLUICE_RELEASES=path, SLUICE_TOPIC=topic, **more,
    ))


def sample(name: str) -> dict:
    return json.loads((EVENTS / f"{name}.json").read_text())


def with_detail(name: str, **members) -> dict:
    """A sample event of EventBridge with other members in its detail."""
    event = sample(name)
    event["detail"] |= members
    return event


class Calls:
    """What a function asked of AWS from here on."""

    def __init__(self, cloud: Cloud, name: str):
        self.cloud, self.caller, self.begin = cloud, f"ASIAFN{name}", len(cloud.timeline())

    def all(self) -> list[dict]:
        lines = self.cloud.timeline()[self.begin:]
        data = [line["data"] for line in lines if line["kind"] == "call" and line["data"]]
        return [call for call in data if call["caller"] == self.caller]

    def written(self) -> list[str]:
        """What changed something, messages excepted, in its order."""
        changed = [call["operation"] for call in self.all() if not call["error"]]
        return [operation for operation in changed if operation.startswith(WRITES)]

    def inputs(self, operation: str) -> list[dict]:
        return [call["input"] for call in self.all() if call["operation"] == operation]

    def told(self) -> list[str]:
        """The news that were published."""
        return [given["MessageAttributes"]["news"]["StringValue"] for given in self.inputs(MESSAGE)]


def error_of(function: Function, event) -> str:
    """The error that an event comes to, which the log has as well."""
    try:
        answer = function.invoke(event)
    except FunctionError as error:
        assert (error.kind, error.type) == ("error", "Sluice.Error")
        assert {"level": "ERROR", "message": error.message}.items() <= last_line(function).items()
        return error.message
    raise AssertionError(f"it is no error, but {answer}")


def last_lines(function: Function) -> list[dict]:
    """What the function logged of its last event, at least a line; all that it ever logged is JSON."""
    def lines() -> list[dict]:
        return [line for line in function.log() if line.get("request_id") == function.last_request_id]
    return wait_for(lines, 5, "a line of the log with the request's id")


def last_line(function: Function) -> dict:
    return last_lines(function)[-1]
