"""Faults are planted in copies of the modules, and their own tests must find each.

All faults of a module are planted at once, as each has its own assertion to fail.
"""

import pytest

from tree import Tree

pytestmark = pytest.mark.terraform

SERVICE = {
    "an automatic rollback switched off": (
        "codedeploy.tf", "  auto_rollback_configuration {\n    enabled = true", "  auto_rollback_configuration {\n    enabled = false",
        "Nothing is rolled back.",
    ),
    "an alarm that rolls nothing back": (
        "codedeploy.tf", '"DEPLOYMENT_STOP_ON_ALARM", ', "", "One of failure, alarm and stop does not roll back.",
    ),
    "an alarm missing for one target group": (
        "alarms.tf", 'resource "aws_cloudwatch_metric_alarm" "latency" {\n  for_each = local.colours',
        'resource "aws_cloudwatch_metric_alarm" "latency" {\n  for_each = toset(["blue"])',
        "CodeDeploy does not watch every alarm of both target groups.",
    ),
    "an alarm for the whole load balancer": (
        "alarms.tf", "      TargetGroup  = group.arn_suffix\n", "", "do not each look at one target group",
    ),
    "a quiet minute that divides by zero": (
        "alarms.tf", "IF(FILL(requests, 0) > 0, FILL(requests, 0), 1)", "requests", "divided by zero, in a quiet minute",
    ),
    "an unreadable alarm taken for a green one": (
        "codedeploy.tf", "ignore_poll_alarm_failure = false", "ignore_poll_alarm_failure = true",
        "An alarm that cannot be read would count as a green one.",
    ),
    "every role of the account passed": (
        "codedeploy.tf", "Resource  = var.task_role_arns", 'Resource  = "*"', "CodeDeploy may pass other roles",
    ),
    "AWS's wider policy": (
        "codedeploy.tf", "policy/AWSCodeDeployRoleForECSLimited", "policy/AWSCodeDeployRoleForECS",
        "CodeDeploy has other rights than AWS's limited policy",
    ),
    "test traffic on the production listener": (
        "codedeploy.tf", '[local.listener_arns["test"]]', '[local.listener_arns["production"]]',
        "CodeDeploy does not shift the traffic of these listeners.",
    ),
    "an old policy for TLS": (
        "load_balancing.tf", "null : each.value.ssl_policy", 'null : "ELBSecurityPolicy-2016-08"', "A listener takes TLS older than 1.2.",
    ),
    "an entry of releases.yaml without alarms": (
        "outputs.tf", "      alarms = local.alarm_names\n", "      alarms = []\n", "The entry does not say what was made.",
    ),
}

REGISTRY = {
    "tags that can be moved": ("main.tf", '"IMMUTABLE"', '"MUTABLE"', "A tag could be moved to another image."),
    "a rule that expires what has a tag": (
        "main.tf", 'tagStatus   = "untagged"', 'tagStatus   = "any"', "A lifecycle rule takes tagged images, and so rollback targets.",
    ),
}

PUSH_ROLE = {
    "a subject that is compared by pattern": (
        "main.tf", "        StringEquals = {", "        StringLike = {", "The trust is not for this audience and subject alone.",
    ),
    "a right to delete images": (
        "main.tf", '          "ecr:CompleteLayerUpload",\n', '          "ecr:BatchDeleteImage", "ecr:CompleteLayerUpload",\n',
        "The role may do something else than push to this repository.",
    ),
}

WILDCARDS = {
    # Of gitlab-oidc as well: its variable and its tests are the same.
    "subjects with wildcards": (
        "variables.tf", ' && alltrue([for subject in var.subjects : !can(regex("[*?$]", subject))])', "",
        'run "a_wildcard_for_branches_is_refused"... fail',
    ),
}


@pytest.mark.parametrize("module, faults, arguments", [
    ("service", SERVICE, ["-filter=tests/code_deploy.tftest.hcl"]),
    ("registry", REGISTRY, []),
    ("push-role", PUSH_ROLE, []),
    ("github-oidc", WILDCARDS, []),
])
def test_planted_faults_are_found(module, faults, arguments):
    tree = Tree.copied(f"faults-{module}")
    for file, old, new, _ in faults.values():
        tree.plant(f"modules/{module}/{file}", old, new)
    ran = tree.test(module, *arguments)
    # Terraform breaks its messages into lines.
    text = " ".join(ran.text.split())
    assert ran.code == 1, text
    missed = [fault for fault, (*_, told) in faults.items() if told not in text]
    assert missed == [], ran.text
