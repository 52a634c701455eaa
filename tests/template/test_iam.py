"""Least privilege, proved by use: what the functions did in all other tests is allowed, what
is allowed was done, and AWS knows all of it."""

import collections

import pytest

import authorization
import calls
import policy
from policy import Request
from template import Stack, arn, edited

# Actions that may be used on anything, and why.
ANY_RESOURCE = {
    "cloudwatch:DescribeAlarmHistory": "that of composite alarms is told only to those who may read all",
    "cloudwatch:DescribeAlarms": "composite alarms are described only to those who may describe all",
    "cloudwatch:PutMetricData": "narrowed by its namespace",
    "codedeploy:BatchGetDeploymentTargets": "CodeDeploy knows no resource for it",
    "codedeploy:PutLifecycleEventHookExecutionStatus": "CodeDeploy knows no resource for it",
    "codedeploy:StopDeployment": "CodeDeploy knows no resource for it",
    "ecs:DescribeTaskDefinition": "ECS knows no resource for it",
    "ecs:ListTasks": "narrowed by its cluster",
    "xray:PutTelemetryRecords": "X-Ray knows no resource for it",
    "xray:PutTraceSegments": "X-Ray knows no resource for it",
}

SLUICE_TAGS = (("aws:TagKeys", ("sluice:verdict",)),)
OTHER_TAGS = (("aws:TagKeys", ("sluice:verdict", "owner")),)
ELSEWHERE = (("ecs:cluster", arn("ecs", "cluster/other")),)

# What no function may do, whatever else it may.
REFUSED = [
    Request("ecs:UpdateService", arn("ecs", "service/api-cluster/other")),
    Request("ecs:DescribeServices", arn("ecs", "service/other/api")),
    Request("ecs:StopServiceDeployment", arn("ecs", "service-deployment/other/api/1"), ELSEWHERE),
    Request("ecs:RegisterTaskDefinition", arn("ecs", "task-definition/api:1")),
    Request("ecs:TagResource", arn("ecs", "task-definition/api:1"), OTHER_TAGS),
    Request("ecs:TagResource", arn("ecs", "service/api-cluster/api"), SLUICE_TAGS),
    Request("ecs:TagResource", arn("ecs", "cluster/api-cluster"), SLUICE_TAGS),
    Request("ecs:RunTask", arn("ecs", "task-definition/api:1"), ELSEWHERE),
    Request("ecs:StopTask", arn("ecs", "task/other/1"), ELSEWHERE),
    Request("ecs:ListTasks", "*", ELSEWHERE),
    Request("ecs:DeregisterTaskDefinition", "*"),
    Request("ecs:DeleteService", arn("ecs", "service/api-cluster/api")),
    Request("codedeploy:CreateDeployment", arn("codedeploy", "deploymentgroup:api-deploy/other")),
    Request("codedeploy:RegisterApplicationRevision", arn("codedeploy", "application:other")),
    Request("codedeploy:UpdateDeploymentGroup", arn("codedeploy", "deploymentgroup:api-deploy/api-group")),
    Request("ecr:BatchGetImage", arn("ecr", "repository/other")),
    Request("ecr:BatchDeleteImage", arn("ecr", "repository/api")),
    Request("ecr:PutImage", arn("ecr", "repository/api")),
    Request("iam:PassRole", arn("iam", "role/admin", region=""), (("iam:PassedToService", "ecs-tasks.amazonaws.com"),)),
    Request("iam:PassRole", calls.ROLE, (("iam:PassedToService", "lambda.amazonaws.com"),)),
    Request("cloudwatch:PutMetricData", "*", (("cloudwatch:namespace", "AWS/ApplicationELB"),)),
    Request("cloudwatch:SetAlarmState", arn("cloudwatch", "alarm:api-5xx")),
    Request("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:database-a1B2c3")),
    Request("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:token-of-others-a1B2c3")),
    Request("logs:GetLogEvents", arn("logs", "log-group:/ecs/other:log-stream:x")),
    Request("rds:CreateDBSnapshot", arn("rds", "db:other")),
    Request("rds:DeleteDBSnapshot", arn("rds", "snapshot:sluice-orders-d-1")),
    Request("sns:Publish", arn("sns", "sluice-production-on-call")),
    Request("lambda:InvokeFunction", arn("lambda", "function:other")),
    Request("sqs:ReceiveMessage", arn("sqs", "sluice-production-failed")),
]


def granted(statements, request):
    return [grant for statement in statements for grant in statement.granting(request)]


def denied(stack, recorded):
    """Calls that were made and are not allowed."""
    by_function = policy.of_functions(stack)
    return sorted(
        f"{function}: {request.action} on {request.resource} with {dict(request.context)}"
        for function, asked in recorded.items()
        for request in asked
        if not granted(by_function[function], request)
    )


def idle(stack, recorded):
    """What is granted and no call needs: without it, all of them would still be allowed."""
    needed, all_grants = set(), collections.defaultdict(set)
    for function, statements in policy.of_functions(stack).items():
        for statement in statements:
            all_grants[statement.policy].update(statement.grants())
        for request in recorded[function]:
            by = granted(statements, request)
            if len({(grant.policy, grant.statement) for grant in by}) == 1:
                needed.update(by)
    spare = {grant for grants in all_grants.values() for grant in grants} - needed
    return sorted(f"{grant.policy}, statement {grant.statement}: {grant.action} on {grant.resource}" for grant in spare)


def unknown(stack):
    """What AWS does not know."""
    every = policy.of_functions(stack).values()
    return sorted({fault for statements in every for each in statements for fault in authorization.faults(each)})


def wide(stack):
    """What is allowed and must not be."""
    found = set()
    for function, statements in policy.of_functions(stack).items():
        for each in statements:
            found.update(
                f"{function}: {action} on anything"
                for action in each.actions
                if "*" in each.resources and action not in ANY_RESOURCE
            )
        for request in REFUSED:
            if granted(statements, request):
                found.add(f"{function}: {request.action} on {request.resource} with {dict(request.context)}")
    return sorted(found)


def test_every_call_that_was_made_is_allowed(stack, recorded):
    assert denied(stack, recorded) == []


def test_every_permission_is_needed_by_a_call_that_was_made(stack, recorded):
    # The parameters' ARNs are all in one scene or another; what is spare is the template's own.
    own = [line for line in idle(stack, recorded) if not of_parameters(stack, line)]
    assert own == []


def of_parameters(stack, line):
    """A single ARN of a list that `sluice parameters` made, while others of the list are used."""
    resource = line.rsplit(" on ", 1)[1]
    lists = [value for value in stack.parameters.values() if isinstance(value, list)]
    return any(resource in arns and len(arns) > 1 for arns in lists)


def test_aws_knows_every_action_resource_and_condition_key(stack):
    assert unknown(stack) == []


def test_nothing_wider_is_allowed_than_what_is_argued_for(stack):
    assert wide(stack) == []


def test_every_function_has_calls_to_be_judged_by(recorded):
    own = {function: [r for r in asked if not r.action.startswith(("xray", "sqs", "logs"))] for function, asked in recorded.items()}
    assert [function for function, asked in own.items() if not asked] == []


# Planted faults: each must be caught by the check that is there for it.


def inline(resources, role):
    return resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]


def managed(resources, name):
    return resources[name]["Properties"]["PolicyDocument"]["Statement"]


def plain(statements):
    """Statements themselves, also those under Fn::If."""
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


def find(statements, action):
    return next(s for s in plain(statements) if action in policy.listed(s["Action"]))


def any_action(resources):
    find(inline(resources, "AlarmRole"), "ecs:UpdateService")["Action"] = "ecs:*"


def any_service(resources):
    find(managed(resources, "ReleasePolicy"), "ecs:UpdateService")["Resource"] = "*"


def any_role(resources):
    find(managed(resources, "ReleasePolicy"), "iam:PassRole")["Resource"] = "*"


def any_receiver(resources):
    del find(managed(resources, "ReleasePolicy"), "iam:PassRole")["Condition"]


def any_tag(resources):
    del find(managed(resources, "OutcomePolicy"), "ecs:TagResource")["Condition"]


def any_namespace(resources):
    del find(managed(resources, "OutcomePolicy"), "cloudwatch:PutMetricData")["Condition"]


def any_cluster(resources):
    del find(managed(resources, "TaskPolicy"), "ecs:RunTask")["Condition"]


def any_secret(resources):
    find(inline(resources, "LifecycleHookRole"), "secretsmanager:GetSecretValue")["Resource"] = {
        "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:*"
    }


@pytest.mark.parametrize(
    "plant", [any_action, any_service, any_role, any_receiver, any_tag, any_namespace, any_cluster, any_secret]
)
def test_a_widened_policy_is_caught(template, parameters, plant):
    assert wide(Stack(edited(template, plant), parameters)) != []


def test_a_permission_that_nothing_needs_is_caught(template, parameters, recorded):
    def plant(resources):
        find(inline(resources, "AlarmRole"), "ecs:UpdateService")["Action"].append("ecs:DescribeServiceRevisions")

    found = idle(Stack(edited(template, plant), parameters), recorded)
    assert any(line.startswith("alarm, statement") and "ecs:DescribeServiceRevisions" in line for line in found)


def each_action(template):
    """Every action of every statement, as a way to take it out."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents = [resource["Properties"]["PolicyDocument"]]
        elif resource["Type"] == "AWS::IAM::Role":
            documents = [p["PolicyDocument"] for p in resource["Properties"].get("Policies", [])]
        else:
            continue
        for document in documents:
            for number, statement in enumerate(plain(document["Statement"])):
                for action in policy.listed(statement["Action"]):
                    yield name, number, action


def test_whichever_permission_is_missing_is_caught(template, parameters, recorded):
    missed = []
    for name, number, action in each_action(template):
        def plant(resources):
            owner = resources[name]
            document = managed if owner["Type"] == "AWS::IAM::ManagedPolicy" else inline
            statement = plain(document(resources, name))[number]
            statement["Action"] = [a for a in policy.listed(statement["Action"]) if a != action]

        if not denied(Stack(edited(template, plant), parameters), recorded):
            missed.append(f"{name}, statement {number}: {action}")
    assert missed == []


@pytest.mark.parametrize(
    "wrong, told",
    [
        ("ecs:DescribeService", "AWS has no such action"),
        ("codedeploi:ListDeployments", "AWS has no such action"),
        ("codedeploy:StopDeployment", "knows no resource"),
        ("ecr:DescribeImages", "is none of its resources"),
    ],
)
def test_a_misspelt_action_or_one_of_another_resource_is_caught(template, parameters, wrong, told):
    def plant(resources):
        find(managed(resources, "ReleasePolicy"), "ecs:UpdateService")["Action"].append(wrong)

    assert any(line.startswith(wrong) and told in line for line in unknown(Stack(edited(template, plant), parameters)))


def test_a_misspelt_condition_key_is_caught(template, parameters):
    def plant(resources):
        find(managed(resources, "TaskPolicy"), "ecs:RunTask")["Condition"] = {
            "ArnEquals": {"ecs:clusters": "*"}
        }

    found = unknown(Stack(edited(template, plant), parameters))
    assert found == ["ecs:RunTask: has no condition key ecs:clusters"]
