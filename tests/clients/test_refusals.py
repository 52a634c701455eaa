"""What a published model forbids is refused, wherever in a request it stands.

A valid, full request is written as the service's protocol wants it, then broken in one
place: a required member taken out, a member that nobody knows put in, another type, no
value of an enum, too short, too long, too small, too large. Sent past the client, which
would not write most of these. The refusal has to name the member: that there is nothing
of that name in this empty cloud would be a refusal as well, and would show nothing.
"""

import json
from copy import deepcopy

import cbor2
import pytest
import requests
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from localcloud import REGION, ROOT, running
from requests_from_models import Builder, model_of

MODELLED = json.loads((ROOT / "tests/cloud/models/modelled.json").read_text())
CASES = [(service, name) for service, names in MODELLED.items() for name in names]
STRANGER = "noSuchMember"
KEEPS_UNKNOWN = {("ecs", "RegisterTaskDefinition")}  # what it is given has to come back whole


@pytest.fixture(scope="module")
def sender():
    """Sends a written request to a cloud with nothing in it; gives status, code and message."""
    sent = 0
    with running(1) as cloud, requests.Session() as session:
        def send(operation, written: dict) -> tuple[int, str, str]:
            nonlocal sent
            sent += 1
            scope = f"Credential=AKIATEST/20260101/{REGION}/{operation.service_model.signing_name}/aws4_request"
            answer = session.request(
                written["method"], cloud.url + written["url_path"], params=written["query_string"],
                data=written["body"], timeout=10, headers={
                    **written["headers"], "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
                },
            )
            if answer.status_code < 300:
                return answer.status_code, "success", ""
            parser = create_parser(operation.service_model.resolved_protocol)
            parsed = parser.parse(
                {"status_code": answer.status_code, "headers": answer.headers, "body": answer.content},
                operation.output_shape,
            )
            return answer.status_code, parsed["Error"]["Code"], parsed["Error"]["Message"]
        yield send
    print(f"\nrefusals: {len(CASES)} operations, {sent} requests")


def wire_name(name: str, member: Shape) -> str:
    return member.serialization.get("name", name)


def scalars(shape: Shape) -> list[tuple[str, object]]:
    """Wrong values for a scalar: `(what is wrong, value)`."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name == "string":
        wrong = [("another type", {"a": 1})]
        if getattr(shape, "enum", None):
            wrong.append(("no value of its enum", "No-Such-Value"))
        if least:
            wrong.append(("too short", "x" * (least - 1)))
        if most and most < 5_000:
            wrong.append(("too long", "x" * (most + 1)))
        return wrong
    if shape.type_name in ("integer", "long", "float", "double"):
        wrong = [("another type", "text"), ("another type", {"a": 1})]
        if least is not None:
            wrong.append(("too small", least - 1))
        if most is not None and most < 2**31 - 1:
            wrong.append(("too large", most + 1))
        return wrong
    return [("another type", {"a": 1})] if shape.type_name in ("boolean", "timestamp", "blob") else []


def breaks(raw, shape: Shape, seen: set, path: tuple = ()):
    """One change each to a written tree: `(what is wrong, path, value)`; a value of `...` takes
    the member out. The same fault in the same shape is tried once."""
    def fresh(what: str) -> bool:
        known = (shape.name, what) in seen
        seen.add((shape.name, what))
        return not known

    if isinstance(shape, StructureShape):
        if path and fresh("another type"):
            yield "another type", path, "text"
        if fresh("a stranger"):
            yield "a member that nobody knows", (*path, STRANGER), "x"
        for name, member in shape.members.items():
            wire = wire_name(name, member)
            if wire not in raw or member.serialization.get("location"):
                continue
            if name in shape.required_members and fresh(f"without {name}"):
                yield "missing", (*path, wire), ...
            yield from breaks(raw[wire], member, seen, (*path, wire))
    elif isinstance(shape, ListShape):
        if fresh("another type"):
            yield "another type", path, "text"
        if shape.metadata.get("min") and fresh("too short"):
            yield "too short", path, []
        if raw:
            yield from breaks(raw[0], shape.member, seen, (*path, 0))
    elif isinstance(shape, MapShape):
        if fresh("another type"):
            yield "another type", path, ["text"]
        for key in raw:
            yield from breaks(raw[key], shape.value, seen, (*path, key))
    else:
        for what, value in scalars(shape):
            if fresh(f"{what} {value!r:.20}"):
                yield what, path, value


def changed(tree, path: tuple, value):
    tree = deepcopy(tree)
    node = tree
    for step in path[:-1]:
        node = node[step]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return tree


def form_breaks(form: dict, shape: StructureShape):
    """The same for a form of the query protocol, whose members are paths: `(what is wrong, key, form)`."""
    yield "a member that nobody knows", STRANGER, {**form, STRANGER: "x"}
    for key in form:
        member, required = form_member(shape, key.split("."))
        if member is None:
            continue
        if required:
            yield "missing", key, {k: v for k, v in form.items() if k != key}
        for what, value in scalars(member):
            if not isinstance(value, dict):  # a form has no other types than text
                yield what, key, {**form, key: value}


def form_member(shape: Shape, steps: list[str]) -> tuple[Shape | None, bool]:
    """The scalar that a path means, and whether its structure requires it."""
    required = False
    while steps:
        if isinstance(shape, StructureShape):
            names = {wire_name(n, m): n for n, m in shape.members.items()}
            if steps[0] not in names:
                return None, False
            required = names[steps[0]] in shape.required_members
            shape, steps = shape.members[names[steps[0]]], steps[1:]
        elif isinstance(shape, ListShape):
            flat = shape.serialization.get("flattened")
            shape, steps, required = shape.member, steps[1 if flat else 2:], False
        else:
            return None, False
    scalar = not isinstance(shape, (StructureShape, ListShape, MapShape))
    return (shape, required) if scalar else (None, False)


def broken(service: str, operation, written: dict):
    """Written requests that are wrong in one place: `(what is wrong, path, request)`."""
    shape, protocol = operation.input_shape, operation.service_model.resolved_protocol
    if protocol == "query":
        for what, key, form in form_breaks(written["body"], shape):
            yield what, key.split("."), {**written, "body": form}
        return
    read, write = (cbor2.loads, cbor2.dumps) if "cbor" in protocol else (json.loads, json.dumps)
    if not written["body"] or shape.serialization.get("payload"):
        return
    tree = read(written["body"])
    for what, path, value in breaks(tree, shape, set()):
        if path[-1] != STRANGER or (service, operation.name) not in KEEPS_UNKNOWN:
            yield what, path, {**written, "body": write(changed(tree, path, value))}


def named(path) -> str:
    """The member that a path ends in, past the positions of lists."""
    return next(step for step in reversed(path) if isinstance(step, str) and step != "member" and not step.isdigit())


@pytest.mark.parametrize(("service", "operation"), CASES, ids=lambda v: v)
def test_a_request_that_breaks_its_model_is_refused_for_it(sender, service, operation):
    operation = model_of(service).operation_model(operation)
    if operation.input_shape is None:
        pytest.skip("takes nothing")
    serializer = create_serializer(operation.service_model.resolved_protocol, include_validation=False)
    valid = Builder(1, {}).structure(operation.input_shape, full=True)
    written = serializer.serialize_to_request(valid, operation)
    _, _, unbroken = sender(operation, written)
    problems = []
    if "validation error" in unbroken:
        problems.append(f"the unbroken request is refused: {unbroken}")
    for what, path, request in broken(service, operation, written):
        status, code, message = sender(operation, request)
        told = f"{what} {'.'.join(map(str, path))}: {status} {code} {message:.150}"
        if not 400 <= status < 500 or code in ("InternalFailure", "NotModelled"):
            problems.append(told)
        elif named(path).lower() not in message.lower() or message == unbroken:
            problems.append(f"refused, but not for this: {told}")
    assert not problems, "\n".join(problems)
