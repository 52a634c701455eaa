"""Requests built from the published service models, valid and invalid, and raw answers
held against them."""

import json
import random
import re
import xml.etree.ElementTree as ET
from datetime import datetime, timezone

import cbor2
import rstr
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

# Without what only the SDK takes, such as the region that it signs a URL for.
LOADER = Loader(include_default_extras=False)
MOST_DEPTH = 4

# What JSON and CBOR make of a scalar.
SCALARS = {
    "string": str, "character": str, "boolean": bool, "integer": int, "long": int, "float": (int, float),
    "double": (int, float), "timestamp": (int, float, str, datetime), "blob": (str, bytes),
}

# Members that make the client itself refuse, or go to another host.
UNSENDABLE = {"EndpointId"}


def model_of(service: str) -> ServiceModel:
    return ServiceModel(LOADER.load_service_model(service, "service-2"), service)


class Builder:
    """Builds values of shapes; `known` gives real values for members by name."""

    def __init__(self, seed: int, known: dict):
        self.random = random.Random(seed)
        self.strings = rstr.Rstr(self.random)
        self.known = known

    def structure(self, shape: StructureShape, full: bool, depth: int = 0) -> dict:
        names = shape.members if full and depth < MOST_DEPTH else shape.required_members
        wanted = [name for name in names if name not in UNSENDABLE]
        return {name: self.value(shape.members[name], full, depth + 1, name) for name in wanted}

    def value(self, shape: Shape, full: bool, depth: int = 0, name: str = ""):
        if name in self.known and fits(self.known[name], shape):
            return self.known[name]
        if isinstance(shape, StructureShape):
            if getattr(shape, "is_tagged_union", False):
                first = next(iter(shape.members))
                return {first: self.value(shape.members[first], full, depth + 1, first)}
            return self.structure(shape, full, depth)
        if isinstance(shape, ListShape):
            count = max(1, shape.metadata.get("min", 1)) if depth < MOST_DEPTH + 1 else shape.metadata.get("min", 0)
            return [self.value(shape.member, full, depth + 1, name + "[]") for _ in range(count)]
        if isinstance(shape, MapShape):
            least = shape.metadata.get("min", 0)
            if depth > MOST_DEPTH and not least:
                return {}
            keys = {self.value(shape.key, full, depth + 1)}
            keys |= {f"x{n}" for n in range(least - 1)}
            return {key: self.value(shape.value, full, depth + 1) for key in sorted(keys)}
        return self.scalar(shape)

    def scalar(self, shape: Shape):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        match shape.type_name:
            case "string" | "character":
                if shape.enum:
                    return self.random.choice(shape.enum)
                return self.text(shape.metadata.get("pattern"), least or 0, most)
            case "integer" | "long":
                return int(least if least is not None else min(1, most or 1))
            case "float" | "double":
                return float(least if least is not None else 1)
            case "boolean":
                return False
            case "timestamp":
                return datetime(2026, 1, 1, tzinfo=timezone.utc)
            case "blob":
                return b"blob"
        raise AssertionError(f"no value for a {shape.type_name}")

    def text(self, pattern: str | None, least: int, most: int | None) -> str:
        """A text that fits a pattern and a length, as short as may be."""
        if not pattern:
            return "x" * max(least, 1)
        translated = re.sub(r"\\p\{[A-Za-z]+\}", "a", pattern)
        # Without a bound, repetitions soon outgrow the length.
        bounded = re.sub(r"(?<!\\)\*", "{0,4}", re.sub(r"(?<!\\)\+", "{1,4}", translated))
        for tried in [bounded] * 25 + [translated] * 25:
            try:
                text = self.strings.xeger(tried)
            except re.error:
                continue
            text = text if most is None else text[:most]
            if len(text) >= least and re.fullmatch(translated, text, re.DOTALL):
                return text
        return "x" * max(least, 1)


def fits(value, shape: Shape) -> bool:
    """Whether a known value is of the type that a member of that name has here."""
    types = {"string": str, "list": list, "structure": dict}
    if not isinstance(value, types.get(shape.type_name, ())):
        return False
    return not isinstance(value, list) or all(fits(item, shape.member) for item in value)


def broken(shape: StructureShape, valid: dict):
    """Requests that are wrong in one place each: `(what is wrong, request)`."""
    for name in shape.required_members:
        if shape.members[name].serialization.get("location") == "uri":
            continue
        yield f"without {name}", {k: v for k, v in valid.items() if k != name}
    for name, value in valid.items():
        member = shape.members[name]
        in_body = not member.serialization.get("location")
        if getattr(member, "enum", None):
            yield f"{name} is no value of its enum", {**valid, name: "No-Such-Value"}
        elif in_body and member.type_name in ("integer", "long", "boolean"):
            yield f"{name} is of another type", {**valid, name: "neither number nor boolean"}
        elif in_body and isinstance(member, StructureShape) and member.required_members:
            yield f"{name} is empty", {**valid, name: {}}


def unknown_json(raw, shape: Shape, path: str = ""):
    """Paths in a decoded JSON or CBOR answer that the shape does not know, and missing
    required members."""
    if isinstance(shape, StructureShape):
        assert isinstance(raw, dict), f"{path} is no structure: {raw!r}"
        names = {m.serialization.get("name", n): n for n, m in shape.members.items()}
        for wire, value in raw.items():
            if wire not in names and wire not in shape.members:
                yield f"unknown {path}.{wire}"
            elif value is not None:
                yield from unknown_json(value, shape.members[names.get(wire, wire)], f"{path}.{wire}")
        for name in shape.required_members:
            member = shape.members[name]
            if not member.serialization.get("location") and member.serialization.get("name", name) not in raw:
                yield f"missing {path}.{name}"
    elif isinstance(shape, ListShape):
        for n, item in enumerate(raw):
            yield from unknown_json(item, shape.member, f"{path}[{n}]")
    elif isinstance(shape, MapShape):
        for key, item in raw.items():
            yield from unknown_json(item, shape.value, f"{path}[{key}]")
    elif not isinstance(raw, SCALARS[shape.type_name]) or isinstance(raw, bool) != (shape.type_name == "boolean"):
        yield f"{path} is no {shape.type_name}: {raw!r}"


def unknown_xml(node: ET.Element, shape: Shape, path: str = ""):
    """The same for an XML answer's node."""
    def tag(n: ET.Element) -> str:
        return n.tag.split("}")[-1]

    if isinstance(shape, StructureShape):
        names = {m.serialization.get("name", n): n for n, m in shape.members.items()}
        for child in node:
            if tag(child) not in names:
                yield f"unknown {path}.{tag(child)}"
            else:
                yield from unknown_xml(child, shape.members[names[tag(child)]], f"{path}.{tag(child)}")
        present = {names.get(tag(child)) for child in node}
        yield from (f"missing {path}.{name}" for name in shape.required_members if name not in present)
    elif isinstance(shape, ListShape):
        for child in node:
            yield from unknown_xml(child, shape.member, f"{path}.{tag(child)}")
    elif isinstance(shape, MapShape):
        for entry in node:
            if {tag(part) for part in entry} != {"key", "value"}:
                yield f"unknown {path}.{tag(entry)}"


def strangers(body: bytes, headers: dict, operation) -> list[str]:
    """What a raw success answer has that the model does not know, or lacks though required."""
    shape = operation.output_shape
    kind = headers.get("content-type", "")
    if shape is None:
        return []
    if "xml" in kind:
        root = ET.fromstring(body)
        result = next((n for n in root if n.tag.split("}")[-1] == f"{operation.name}Result"), None)
        if result is None:
            return [f"no {operation.name}Result"] if shape.serialization.get("resultWrapper") else []
        return list(unknown_xml(result, shape))
    if "cbor" in kind:
        return list(unknown_json(cbor2.loads(body) if body else {}, shape))
    if shape.serialization.get("payload"):
        return []
    raw = json.loads(body or b"{}")
    in_body = {n: m for n, m in shape.members.items() if not m.serialization.get("location")}
    return [problem for problem in unknown_json(raw, shape) if in_body or raw]

