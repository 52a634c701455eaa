"""The pipelines: pinned, without keys, and their scripts do what they are for."""

import hashlib
import json
import os
import shutil
import sys

import pytest
import yaml

import pipelines
from tree import INFRA, run

FOLDER = INFRA / "pipelines"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def read(name: str) -> dict:
    return yaml.safe_load((FOLDER / name).read_text())


GITHUB, PROMOTE, GITLAB = map(read, ("github-actions.yml", "github-actions-promote.yml", "gitlab-ci.yml"))


# What each runs its scripts with.
SHELLS = {"github": ["bash", "-e", "-o", "pipefail", "-c"], "gitlab": ["sh", "-e", "-c"]}


def step(job: dict, name: str) -> dict:
    [found] = [step for step in job["steps"] if step.get("name") == name]
    return found


def test_there_is_nothing_wrong_with_them():
    assert pipelines.faults(FOLDER) == []


CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
GITLEAKS = "zricethezav/gitleaks:v8.30.1"
IN_GITHUB, IN_PROMOTE, IN_GITLAB = "github-actions.yml", "github-actions-promote.yml", "gitlab-ci.yml"


@pytest.mark.parametrize("file, old, new, fault", [
    (IN_GITHUB, CHECKOUT, "actions/checkout@v7", "actions/checkout@v7 is not pinned by commit"),
    (IN_GITHUB, " # v0.36.0", "", "does not say which version it is"),
    (IN_GITHUB, f"{GITLEAKS}@sha256:", f"{GITLEAKS} ", f"{GITLEAKS} is not pinned by digest"),
    (IN_GITHUB, "role-to-assume: ${{ vars.AWS_ROLE_ARN }}", "aws-secret-access-key: x", "there is a static key"),
    (IN_GITHUB, "cancel-in-progress: false", "cancel-in-progress: true", "a run may be cancelled halfway"),
    (IN_GITHUB, "permissions: {}", "permissions: write-all", "jobs have permissions that they do not name"),
    (IN_GITHUB, "    if: github.event_name == 'push'\n", "", "takes the role for other events than a push"),
    (IN_GITHUB, "  pull_request:\n", "  pull_request_target:\n", "a stranger's code"),
    (IN_PROMOTE, 'production-$COMMIT"', 'production-${{ inputs.commit }}"', "puts an expression into a script"),
    (IN_GITLAB, "aquasec/trivy:0.72.0@sha256:", "aquasec/trivy:0.72.0 ", "aquasec/trivy:0.72.0 is not pinned by digest"),
    (IN_GITLAB, "extends: [.docker, .aws]", "extends: .docker\n  image: docker:latest", "docker:latest is not pinned"),
    (IN_GITLAB, "on_new_commit: none", "on_new_commit: interruptible", "a pipeline may be cancelled halfway"),
    (IN_GITLAB, "  resource_group: images\n", "", "push may run beside a newer one"),
])
def test_a_planted_fault_is_found(tmp_path, file, old, new, fault):
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    text = (FOLDER / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    found = pipelines.faults(tmp_path)
    assert any(fault in one for one in found), found


def test_an_image_is_pushed_only_after_tests_and_secret_scan_and_its_own_scan():
    job = GITHUB["jobs"]["image"]
    assert set(job["needs"]) == {"test", "secrets"}
    names = [step.get("name") or step["uses"].split("@")[0] for step in job["steps"]]
    assert names[-5:] == [
        "Build", "Scan what was built", "aws-actions/configure-aws-credentials", "aws-actions/amazon-ecr-login",
        "Push what was scanned",
    ]
    assert GITLAB["stages"] == ["test", "build", "scan", "push", "promote"]
    stages = {name: job["stage"] for name, job in GITLAB.items() if isinstance(job, dict) and "stage" in job}
    assert stages == {"secrets": "test"} | {name: name for name in GITLAB["stages"]}
    assert not any(GITLAB[name].get("allow_failure") for name in ("test", "secrets", "build", "scan", "push"))


def test_the_tag_is_the_commit_s_full_sha():
    job = GITHUB["jobs"]["image"]
    assert job["env"]["IMAGE"] == "${{ vars.ECR_REPOSITORY }}:${{ github.sha }}"
    built, scanned = step(job, "Build")["with"]["tags"], step(job, "Scan what was built")["with"]["image-ref"]
    assert built == scanned == "${{ env.IMAGE }}"
    assert '--tag "$ECR_REPOSITORY:$CI_COMMIT_SHA"' in GITLAB["build"]["script"][0]


GATES = {
    "github": step(GITHUB["jobs"]["test"], "Coverage gate")["run"],
    "gitlab": GITLAB["test"]["script"][1],
}


@pytest.mark.parametrize("pipeline", GATES)
@pytest.mark.parametrize("lcov, code, said", [
    ("SF:a.c\nLF:100\nLH:90\nend_of_record\nSF:b.c\nLF:100\nLH:70\nend_of_record\n", 0, "coverage: 80.0%, at least 80%"),
    ("SF:a.c\nLF:1000\nLH:799\nend_of_record\n", 1, "coverage: 79.9%, at least 80%"),
    ("SF:a.c\nLF:0\nLH:0\nend_of_record\n", 1, "no line was measured"),
    ("", 1, "no line was measured"),
    (None, 2, "lcov.info"),
])
def test_the_coverage_gate_lets_through_what_is_covered_and_nothing_unmeasured(tmp_path, pipeline, lcov, code, said):
    (tmp_path / "coverage").mkdir()
    if lcov is not None:
        (tmp_path / "coverage" / "lcov.info").write_text(lcov)
    ran = run([*SHELLS[pipeline], GATES[pipeline]], tmp_path, COVERAGE_MINIMUM="80")
    assert (ran.code, said in ran.text) == (code, True), ran.text


@pytest.fixture
def repository(aws):
    """A repository with the image of one commit; its name in moto, and its digest."""
    ecr = aws.client("ecr")
    name = f"api-{os.urandom(4).hex()}"
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + "0" * 64, "size": 1}
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {**layer, "mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": [layer],
    }, indent=2)
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=COMMIT, imageDigest=digest)
    return name, digest


def script(aws, pipeline: str, text: str, where, name: str, **environment: str):
    """Runs a script before moto, with the AWS CLI; `docker` writes down what it is asked."""
    (where / "docker").write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/asked"\n[ "$1" != login ] || cat > /dev/null\n')
    (where / "docker").chmod(0o755)
    path = f"{where}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    environment |= aws.environment | {"PATH": path, "ECR_REPOSITORY": f"registry.example/{name}"}
    ran = run([*SHELLS[pipeline], text], where, **environment)
    asked = where / "asked"
    return ran, asked.read_text() if asked.exists() else ""


def push(pipeline: str, name: str, commit: str) -> tuple[str, dict]:
    """The script that pushes, and the environment that tells it of which commit."""
    if pipeline == "gitlab":
        return GITLAB["push"]["script"][0], {"CI_COMMIT_SHA": commit}
    script = step(GITHUB["jobs"]["image"], "Push what was scanned")["run"]
    return script, {"IMAGE": f"registry.example/{name}:{commit}"}


@pytest.mark.parametrize("pipeline", SHELLS)
def test_a_commit_s_image_is_pushed_once(aws, tmp_path, repository, pipeline):
    name, _ = repository
    for commit, pushed in ((COMMIT, False), ("f" * 40, True)):
        text, environment = push(pipeline, name, commit)
        ran, asked = script(aws, pipeline, text, tmp_path, name, **environment)
        assert ran.code == 0, ran.text
        assert (f"push registry.example/{name}:{commit}" in asked) == pushed
        assert ("is there already" in ran.text) != pushed


@pytest.mark.parametrize("pipeline", SHELLS)
def test_a_repository_that_does_not_answer_is_not_pushed_to(aws, tmp_path, pipeline):
    text, environment = push(pipeline, "missing", COMMIT)
    ran, asked = script(aws, pipeline, text, tmp_path, "missing", **environment)
    assert ran.code != 0 and asked == "", ran.text


PROMOTIONS = {
    "github": (step(PROMOTE["jobs"]["promote"], "Tag the image for production")["run"], "COMMIT"),
    "gitlab": (GITLAB["promote"]["script"][0], "CI_COMMIT_SHA"),
}


@pytest.mark.parametrize("pipeline", PROMOTIONS)
def test_a_promotion_is_one_more_tag_on_the_same_image(aws, tmp_path, repository, pipeline):
    name, digest = repository
    text, variable = PROMOTIONS[pipeline]
    ran, _ = script(aws, pipeline, text, tmp_path, name, **{variable: COMMIT})
    assert ran.code == 0, ran.text
    [image] = aws.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    assert (image["imageDigest"], set(image["imageTags"])) == (digest, {COMMIT, f"production-{COMMIT}"})


@pytest.mark.parametrize("pipeline, commit, said", [
    ("github", "main", "is not the full SHA"),
    ("github", "$(touch x)", "is not the full SHA"),
    ("github", "f" * 40, "has no image"),
    ("gitlab", "f" * 40, "has no image"),
])
def test_what_is_no_commit_or_has_no_image_is_not_promoted(aws, tmp_path, repository, pipeline, commit, said):
    name, _ = repository
    text, variable = PROMOTIONS[pipeline]
    ran, _ = script(aws, pipeline, text, tmp_path, name, **{variable: commit})
    assert ran.code == 1 and said in ran.text, ran.text
    [image] = aws.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    assert image["imageTags"] == [COMMIT]
