"""The calls that the functions made in the tests, as the requests that AWS puts to IAM for
them: action, resource and condition keys of each, from operation and input.

Sources: the service authorization reference, and for what an operation asks besides its own
action the user guides: of a task definition's roles and tags (ECS), of revision and
configuration of a deployment (CodeDeploy), of a snapshot's tags (RDS)."""

import dataclasses
import json
import re

from policy import Request
from template import REGION, arn

# By the name that a function has in its tests.
FUNCTIONS = {
    "image-push": "ImagePush",
    "CodeDeployHook_sluice": "LifecycleHook",
    "hook": "LifecycleHook",
    "alarm": "Alarm",
    "deployment-state": "DeploymentState",
    "sweep": "Sweep",
    "notify": "Notify",
}

# By its folder under functions/.
FOLDERS = {
    "image-push": "ImagePush",
    "lifecycle-hook": "LifecycleHook",
    "alarm": "Alarm",
    "deployment-state": "DeploymentState",
    "sweep": "Sweep",
    "notify": "Notify",
}

# The role of the tasks in the tests' scenes.
ROLE = "arn:aws:iam::123456789012:role/execution"

# A deployment's id does not say which group it is of: any that is ours.
SOME_GROUP = arn("codedeploy", "deploymentgroup:api-deploy/api-group")

# What the scenes call otherwise than template.yaml does.
SLACK = {"slack", "sluice/slack"}
TOPIC = arn("sns", "sluice-production")
HOOK = arn("lambda", "function:CodeDeployHook_sluice_production")


def name(text):
    """The last part of an ARN, or a name."""
    return text.rsplit("/", 1)[-1]


def tags(keys, **context):
    """Condition keys of a call that sets tags."""
    requested = {f"aws:RequestTag/{key}": "set" for key in keys}
    return tuple({**requested, "aws:TagKeys": tuple(keys), **context}.items())


def in_cluster(cluster):
    return (("ecs:cluster", arn("ecs", f"cluster/{name(cluster)}")),)


def services(action, cluster, names):
    for service in names:
        yield Request(action, arn("ecs", f"service/{name(cluster)}/{name(service)}"), in_cluster(cluster))


def of_services(action, arns):
    """Service deployments and revisions: each itself, and its service."""
    for one in arns:
        cluster, service = one.split("/")[1:3]
        yield from services(action, cluster, [service])
        yield Request(action, one, in_cluster(cluster))


def registered(i):
    keys = [tag["key"] for tag in i.get("tags", [])]
    family = arn("ecs", f"task-definition/{i['family']}:1")
    yield Request("ecs:RegisterTaskDefinition", family, tags(keys))
    if keys:
        yield Request("ecs:TagResource", family, tags(keys, **{"ecs:CreateAction": "RegisterTaskDefinition"}))
    for role in {i.get("taskRoleArn"), i.get("executionRoleArn")} - {None}:
        yield passed(role)


def passed(role):
    return Request("iam:PassRole", role, (("iam:PassedToService", "ecs-tasks.amazonaws.com"),))


def ran(i):
    yield Request("ecs:RunTask", i["taskDefinition"], in_cluster(i["cluster"]))
    keys = [tag["key"] for tag in i.get("tags", [])]
    task = arn("ecs", f"task/{name(i['cluster'])}/0123456789abcdef0123456789abcdef")
    yield Request("ecs:TagResource", task, tags(keys, **{"ecs:CreateAction": "RunTask"}))
    yield passed(ROLE)


def tasks(action, i, listed):
    for task in listed:
        yield Request(action, arn("ecs", f"task/{name(i['cluster'])}/{name(task)}"), in_cluster(i["cluster"]))


def group(i):
    return arn("codedeploy", f"deploymentgroup:{i['applicationName']}/{i['deploymentGroupName']}")


def application(i):
    return arn("codedeploy", f"application:{i['applicationName']}")


def deployed(i):
    yield Request("codedeploy:CreateDeployment", group(i))
    yield Request("codedeploy:RegisterApplicationRevision", application(i))
    configuration = i.get("deploymentConfigName", "CodeDeployDefault.ECSAllAtOnce")
    yield Request("codedeploy:GetDeploymentConfig", arn("codedeploy", f"deploymentconfig:{configuration}"))


def snapshot(action, database, taken, i):
    """Of a cluster or an instance, with tags."""
    yield Request(action, database)
    yield Request(action, taken)
    yield Request("rds:AddTagsToResource", taken, tags([tag["Key"] for tag in i.get("Tags", [])]))


def secret(identifier):
    if identifier in SLACK:
        identifier = "slack"
    return identifier if identifier.startswith("arn:") else arn("secretsmanager", f"secret:{identifier}-a1B2c3")


def repository(i):
    return arn("ecr", f"repository/{i['repositoryName']}")


# Of each operation, what IAM is asked. Those not listed ask for their own action on `*`.
ASKED = {
    "ecs:DescribeServices": lambda a, i: services(a, i["cluster"], i["services"]),
    "ecs:ListServiceDeployments": lambda a, i: services(a, i["cluster"], [i["service"]]),
    "ecs:UpdateService": lambda a, i: services(a, i["cluster"], [i["service"]]),
    "ecs:DescribeServiceDeployments": lambda a, i: of_services(a, i["serviceDeploymentArns"]),
    "ecs:DescribeServiceRevisions": lambda a, i: of_services(a, i["serviceRevisionArns"]),
    "ecs:StopServiceDeployment": lambda a, i: of_services(a, [i["serviceDeploymentArn"]]),
    "ecs:RegisterTaskDefinition": lambda a, i: registered(i),
    "ecs:TagResource": lambda a, i: [Request(a, i["resourceArn"], tags([tag["key"] for tag in i["tags"]]))],
    "ecs:RunTask": lambda a, i: ran(i),
    "ecs:DescribeTasks": lambda a, i: tasks(a, i, i["tasks"]),
    "ecs:StopTask": lambda a, i: tasks(a, i, [i["task"]]),
    "ecs:ListTasks": lambda a, i: [Request(a, "*", in_cluster(i["cluster"]))],
    "codedeploy:GetDeploymentGroup": lambda a, i: [Request(a, group(i))],
    "codedeploy:BatchGetDeploymentGroups": lambda a, i: [
        Request(a, group({**i, "deploymentGroupName": name})) for name in i["deploymentGroupNames"]
    ],
    "codedeploy:ListDeployments": lambda a, i: [Request(a, group(i))],
    "codedeploy:CreateDeployment": lambda a, i: deployed(i),
    "codedeploy:GetDeployment": lambda a, i: [Request(a, SOME_GROUP)],
    "codedeploy:BatchGetDeployments": lambda a, i: [Request(a, SOME_GROUP)],
    "codedeploy:GetApplicationRevision": lambda a, i: [Request(a, application(i))],
    "ecr:BatchGetImage": lambda a, i: [Request(a, repository(i))],
    "ecr:DescribeImages": lambda a, i: [Request(a, repository(i))],
    "ecr:DescribeImageScanFindings": lambda a, i: [Request(a, repository(i))],
    "ecr:GetDownloadUrlForLayer": lambda a, i: [Request(a, repository(i))],
    "cloudwatch:PutMetricData": lambda a, i: [Request(a, "*", (("cloudwatch:namespace", i["Namespace"]),))],
    "logs:GetLogEvents": lambda a, i: [
        Request(a, arn("logs", f"log-group:{i['logGroupName']}:log-stream:{i['logStreamName']}"))
    ],
    "sns:Publish": lambda a, i: [Request(a, TOPIC)],
    "secretsmanager:GetSecretValue": lambda a, i: [Request(a, secret(i["SecretId"]))],
    "lambda:Invoke": lambda a, i: [Request("lambda:InvokeFunction", HOOK)],
    "rds:CreateDBSnapshot": lambda a, i: snapshot(
        a, arn("rds", f"db:{i['DBInstanceIdentifier']}"), arn("rds", f"snapshot:{i['DBSnapshotIdentifier']}"), i
    ),
    "rds:CreateDBClusterSnapshot": lambda a, i: snapshot(
        a,
        arn("rds", f"cluster:{i['DBClusterIdentifier']}"),
        arn("rds", f"cluster-snapshot:{i['DBClusterSnapshotIdentifier']}"),
        i,
    ),
    "rds:DescribeDBSnapshots": lambda a, i: [Request(a, arn("rds", f"snapshot:{i['DBSnapshotIdentifier']}"))],
    "rds:DescribeDBClusterSnapshots": lambda a, i: [
        Request(a, arn("rds", f"cluster-snapshot:{i['DBClusterSnapshotIdentifier']}"))
    ],
    "rds:ListTagsForResource": lambda a, i: [Request(a, i["ResourceName"])],
}

# Services that know resources, but not for these.
ANYTHING = {
    "ecs:DescribeTaskDefinition",
    "cloudwatch:DescribeAlarmHistory",
    "cloudwatch:DescribeAlarms",
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:PutLifecycleEventHookExecutionStatus",
    "codedeploy:StopDeployment",
}

# What Lambda itself does with a function's role.
FAILED = [Request("sqs:SendMessage", arn("sqs", "sluice-production-failed"))]
EVERY = [Request("xray:PutTraceSegments", "*"), Request("xray:PutTelemetryRecords", "*")]
QUEUE = arn("sqs", "sluice-production-notify")
POLLED = [Request(f"sqs:{action}", QUEUE) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]


def by_lambda(function, folder):
    stream = arn("logs", f"log-group:/sluice/production/{folder}:log-stream:2026/01/01/[$LATEST]0123")
    logs = [Request(action, stream) for action in ("logs:CreateLogStream", "logs:PutLogEvents")]
    return [*logs, *EVERY, *{"Notify": POLLED, "Sweep": []}.get(function, FAILED)]


def requests(service, operation, given):
    action = f"{service}:{operation}"
    if action in ANYTHING:
        return [Request(action, "*")]
    assert action in ASKED, f"{action}: say in calls.py what IAM is asked for it"
    return list(ASKED[action](action, given))


# Tests and samples are in several.
ANY_REGION = re.compile(r"(?<=:)(us|eu|ap)-[a-z]+-\d(?=:)")

# Services by the hundred, in scenes about many: what is called for them is what is called for `api`.
CROWD = re.compile(r"[/:](svc-|api-|s|application-)\d+\b")

# What AWS numbers: one stands for all.
NUMBERED = [
    (re.compile(r"(task-definition/[^:]+):\d+$"), r"\1:1"),
    (re.compile(r"(service-(?:revision|deployment)/[^/]+/[^/]+)/\w+$"), r"\1/1"),
    (re.compile(r"(:task/[^/]+)/\w+$"), r"\1/1"),
    (re.compile(r"(snapshot:.*-d)-\w+$"), r"\1-1"),
    (re.compile(r"(log-stream:.*)/\w+$"), r"\1/1"),
]


def one_of_its_kind(request):
    resource = request.resource
    for numbered, one in NUMBERED:
        resource = numbered.sub(one, resource)
    return dataclasses.replace(request, resource=resource)


def recorded(path):
    """Requests by the logical name of the function, from the lines that the local cloud wrote."""
    asked = {function: set() for function in FOLDERS.values()}
    with open(path) as lines:
        for line in lines:
            call = json.loads(ANY_REGION.sub(REGION, line))
            function = FUNCTIONS.get(call["function"])
            if function:
                made = requests(call["service"], call["operation"], call["input"])
                asked[function].update(one_of_its_kind(r) for r in made if not CROWD.search(r.resource))
    return asked
