"""Condenses botocore's published service models to what the local cloud needs.

For each service of `modelled.json` it writes `<service>.json`: how the wire
looks (protocols, namespaces, headers), each modelled operation with its input,
output and errors, the names of all other operations (they are answered by an
error that names them), and the shapes those operations reach, without
documentation. One shape a line, sorted, so that an update is a readable diff.

Usage: python3 tests/cloud/models/condense.py [--check]   (needs `botocore`; see
`tests/clients/requirements.txt` for the version the checked-in files come from).
`--check` writes nothing and fails if a file is not what it would write.

Source: botocore `data/<service>/*/service-2.json`, Apache-2.0.
"""

import gzip
import json
import sys
from pathlib import Path

import botocore

HERE = Path(__file__).parent
METADATA = [
    "apiVersion", "awsQueryCompatible", "jsonVersion", "protocol", "protocols",
    "endpointPrefix", "signingName", "targetPrefix", "xmlNamespace",
]
SHAPE = [
    "type", "required", "enum", "min", "max", "pattern", "flattened", "payload",
    "exception", "fault", "error", "streaming", "timestampFormat", "box", "document",
]
MEMBER = ["shape", "location", "locationName", "flattened", "streaming", "timestampFormat"]


def load(service: str) -> dict:
    folder = Path(botocore.__file__).parent / "data" / service
    path = next((folder / sorted(p.name for p in folder.iterdir())[-1]).glob("service-2.json*"))
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


def keep(source: dict, names: list[str]) -> dict:
    return {name: source[name] for name in names if name in source}


def condensed_shape(shape: dict) -> dict:
    out = keep(shape, SHAPE)
    for part in ("member", "key", "value"):
        if part in shape:
            out[part] = keep(shape[part], MEMBER)
    if "members" in shape:
        out["members"] = {name: keep(member, MEMBER) for name, member in shape["members"].items()}
    return out


def reachable(model: dict, names: list[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        shape = model["shapes"][name]
        parts = [shape[p] for p in ("member", "key", "value") if p in shape]
        waiting += [part["shape"] for part in [*parts, *shape.get("members", {}).values()]]
    return seen


def condensed(model: dict, modelled: list[str]) -> dict:
    operations, roots = {}, []
    for name in modelled:
        if name not in model["operations"]:
            sys.exit(f"modelled.json: {name} is not an operation of {model['metadata']['serviceId']}")
        operation = model["operations"][name]
        out = {"http": operation["http"]}
        for part in ("input", "output"):
            if part in operation:
                out[part] = operation[part]["shape"]
                roots.append(out[part])
        if "resultWrapper" in operation.get("output", {}):
            out["resultWrapper"] = operation["output"]["resultWrapper"]
        out["errors"] = [error["shape"] for error in operation.get("errors", [])]
        roots += out["errors"]
        operations[name] = out
    others = {
        name: operation["http"]
        for name, operation in model["operations"].items()
        if name not in operations
    }
    return {
        "botocore": botocore.__version__,
        "metadata": keep(model["metadata"], METADATA),
        "operations": operations,
        "notModelled": others,
        "shapes": {name: condensed_shape(model["shapes"][name]) for name in reachable(model, roots)},
    }


def written(model: dict) -> str:
    """JSON with one operation or shape a line."""
    lines = ["{"]
    for section, content in model.items():
        last = section == "shapes"
        if section in ("operations", "notModelled", "shapes"):
            rows = [f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(content.items())]
            lines += [f"  {json.dumps(section)}: {{", ",\n".join(rows), "  }" + ("" if last else ",")]
        else:
            lines.append(f"  {json.dumps(section)}: {json.dumps(content)},")
    return "\n".join([*lines, "}"]) + "\n"


def main() -> None:
    check = sys.argv[1:] == ["--check"]
    for service, modelled in json.loads((HERE / "modelled.json").read_text()).items():
        path, text = HERE / f"{service}.json", written(condensed(load(service), modelled))
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path.name} is not what botocore {botocore.__version__} gives: run condense.py")


if __name__ == "__main__":
    main()
