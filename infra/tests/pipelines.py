"""What must hold for the pipelines that are handed out. `faults` says what does not."""

import re
from pathlib import Path
from typing import Iterator

import yaml

COMMIT = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
DIGEST = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
# An image as it is named in a script, an option or a variable.
IMAGE = re.compile(r"(?<![\w/.-])(?:[a-z0-9.-]+/)*[a-z0-9-]+:v?\d[\w.-]*(?:@sha256:[0-9a-f]*)?")
# What a key of AWS would come as.
KEY = re.compile(r"AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|aws-access-key-id|aws-secret-access-key|secrets\.AWS|AKIA")


def faults(folder: Path) -> list[str]:
    """Of all pipelines in a folder, each with its file."""
    found = []
    for file in sorted(folder.glob("*.yml")):
        text = file.read_text()
        check = of_gitlab if file.name.startswith("gitlab") else of_github
        found += [f"{file.name}: {fault}" for fault in [*check(yaml.safe_load(text), text), *of_both(text)]]
    return found


def of_both(text: str) -> Iterator[str]:
    if key := KEY.search(text):
        yield f"{key[0]}: there is a static key"
    for image in IMAGE.findall(re.sub(r"(?m)#.*$", "", text)):
        if not DIGEST.fullmatch(image):
            yield f"{image} is not pinned by digest"


def of_github(workflow: dict, text: str) -> Iterator[str]:
    # YAML 1.1 reads the key `on` as true.
    if "pull_request_target" in workflow[True]:
        yield "pull_request_target runs a stranger's code with this repository's rights"
    if workflow.get("permissions") != {}:
        yield "jobs have permissions that they do not name"
    if workflow.get("concurrency", {}).get("cancel-in-progress") is not False:
        yield "a run may be cancelled halfway"
    for name, job in workflow["jobs"].items():
        if not set(job.get("permissions", {}).items()) <= {("contents", "read"), ("id-token", "write")}:
            yield f"{name} has more permissions than to read and to ask for a token"
        takes_role = any("configure-aws-credentials" in step.get("uses", "") for step in job["steps"])
        if takes_role != ("id-token" in job.get("permissions", {})):
            yield f"{name} may ask for a token and takes no role, or the other way round"
        if takes_role and not (job.get("if") == "github.event_name == 'push'" or "environment" in job):
            yield f"{name} takes the role for other events than a push"
        if "timeout-minutes" not in job:
            yield f"{name} has no end"
        for step in job["steps"]:
            yield from of_step(name, step, text)


def of_step(job: str, step: dict, text: str) -> Iterator[str]:
    uses = step.get("uses")
    if uses and not COMMIT.fullmatch(uses):
        yield f"{uses} is not pinned by commit"
    elif uses and not re.search(re.escape(uses) + r" # v\d+\.\d+\.\d+\n", text):
        yield f"{uses} does not say which version it is"
    if uses and uses.startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
        yield f"{job} leaves the repository's token where every step can read it"
    if "${{" in step.get("run", ""):
        yield f"{job} puts an expression into a script, where it may be code"


def of_gitlab(pipeline: dict, _text: str) -> Iterator[str]:
    if pipeline["workflow"]["auto_cancel"] != {"on_new_commit": "none"} or pipeline["default"]["interruptible"] is not False:
        yield "a pipeline may be cancelled halfway"
    for name, job in pipeline.items():
        if name in ("stages", "workflow", "default", "variables"):
            continue
        extends = job.get("extends", [])
        takes_role = ".aws" in ([extends] if isinstance(extends, str) else extends)
        if takes_role != ("id_tokens" in job):
            yield f"{name} has a token and takes no role, or the other way round"
        if takes_role and not any("CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"] for rule in job["rules"]):
            yield f"{name} takes the role for other branches"
        if takes_role and "resource_group" not in job:
            yield f"{name} may run beside a newer one"
        images = [job.get("image"), *[service["name"] for service in job.get("services", [])]]
        for image in images:
            image = image["name"] if isinstance(image, dict) else image
            if image and not DIGEST.fullmatch(image):
                yield f"{image} is not pinned by digest"
