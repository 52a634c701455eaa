"""The example, applied to moto: from nothing to two environments, and what Sluice changes
afterwards is left alone.

moto is a simulation: it takes what the provider sends, and tells back most of it. What it
does not tell back is in `NOT_TOLD`, and shows as a change of these attributes.
"""

import json
import os
import shutil

import pytest
import yaml

from moto_aws import Aws
from tree import EXAMPLE, Tree, run

pytestmark = pytest.mark.terraform

COMMIT = "0123456789abcdef0123456789abcdef01234567"
VARIABLES = ["-var=github_repository=acme/api", f"-var=first_image={COMMIT}"]
SERVICE = "api-production"

NOT_TOLD = {
    ("aws_codedeploy_deployment_group", "alarm_configuration"),
    ("aws_ecs_service", "availability_zone_rebalancing"),
    ("aws_ecs_service", "health_check_grace_period_seconds"),
    ("aws_vpc_security_group_egress_rule", "description"),
    ("aws_vpc_security_group_ingress_rule", "description"),
}


def apply(aws: Aws) -> Tree:
    tree = Tree.copied("example").init(EXAMPLE)
    tree.terraform(EXAMPLE, "apply", "-auto-approve", *VARIABLES, **aws.environment).ok()
    return tree


@pytest.fixture(scope="session")
def applied(applying) -> Tree:
    return applying.result(timeout=300)


@pytest.fixture(scope="session")
def outputs(applied) -> dict:
    ran = applied.terraform(EXAMPLE, "output", "-json").ok()
    return {name: output["value"] for name, output in json.loads(ran.text).items()}


def changes(tree: Tree, aws: Aws) -> dict[str, set]:
    """What a plan would do now: by resource, the attributes that change; all of them if it is
    made anew, or removed."""
    tree.terraform(EXAMPLE, "plan", "-out=plan", *VARIABLES, **aws.environment).ok()
    planned = json.loads(tree.terraform(EXAMPLE, "show", "-json", "plan").ok().text)
    found = {}
    for resource in planned["resource_changes"]:
        change = resource["change"]
        if change["actions"] not in (["no-op"], ["read"]):
            before, after = change["before"] or {}, change["after"] or {}
            names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
            found[resource["address"]] = {(resource["type"], name) for name in names}
    return found


def test_both_environments_are_there(aws, applied):
    for name in ("api-staging", "api-production"):
        [service] = aws.client("ecs").describe_services(cluster=name, services=[name])["services"]
        assert (service["status"], service["deploymentController"]["type"]) == ("ACTIVE", "CODE_DEPLOY")
        group = aws.client("codedeploy").get_deployment_group(applicationName=name, deploymentGroupName=name)
        group = group["deploymentGroupInfo"]
        assert group["autoRollbackConfiguration"]["enabled"]
        [pair] = group["loadBalancerInfo"]["targetGroupPairInfoList"]
        assert [one["name"] for one in pair["targetGroups"]] == [f"{name}-blue", f"{name}-green"]
        alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
        assert len(alarms) == 6


def test_sluice_reads_the_releases_yaml_that_is_put_out(tmp_path, outputs):
    file = tmp_path / "releases.yaml"
    file.write_text(outputs["releases_yaml"])
    checked = run([os.environ["SLUICE"], "check", file], tmp_path).ok()
    assert f"engine   CodeDeploy {SERVICE}/{SERVICE}" in checked.text
    assert f"alarms   {SERVICE}-blue-5xx, {SERVICE}-green-5xx" in checked.text


def test_its_names_are_those_of_what_was_made(aws, outputs):
    for name, entry in yaml.safe_load(outputs["releases_yaml"])["services"].items():
        assert aws.client("ecs").describe_services(cluster=entry["cluster"], services=[entry["service"]])["services"]
        deploy = entry["deploy"]["codedeploy"]
        aws.client("codedeploy").get_deployment_group(
            applicationName=deploy["application"], deploymentGroupName=deploy["group"],
        )
        found = aws.client("cloudwatch").describe_alarms(AlarmNames=entry["alarms"])["MetricAlarms"]
        assert {alarm["AlarmName"] for alarm in found} == set(entry["alarms"])
        [image] = entry["images"]
        aws.client("ecr").describe_repositories(repositoryNames=[image["repository"]])
        [balancer] = aws.client("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"]
        [smoke] = entry["checks"]["before-allow-traffic"]
        assert smoke["smoke"]["base-url"] == f"http://{balancer['DNSName']}:8080"


@pytest.fixture(scope="session")
def released(aws, applied):
    """Production after a release: another revision, the other target group, more tasks, tags."""
    ecs, elb = aws.client("ecs"), aws.client("elbv2")
    first = ecs.describe_task_definition(taskDefinition=SERVICE)["taskDefinition"]
    carried = ("family", "cpu", "memory", "networkMode", "requiresCompatibilities", "containerDefinitions")
    new = ecs.register_task_definition(**{name: first[name] for name in carried})["taskDefinition"]["taskDefinitionArn"]
    ecs.tag_resource(resourceArn=first["taskDefinitionArn"], tags=[{"key": "sluice:verdict", "value": "good"}])
    service = ecs.update_service(cluster=SERVICE, service=SERVICE, desiredCount=5, taskDefinition=new)["service"]
    ecs.tag_resource(resourceArn=service["serviceArn"], tags=[
        {"key": "sluice:hold", "value": "by=ann"}, {"key": "sluice:baseline", "value": "2026-01-01T00:00:00Z"},
    ])
    [balancer] = elb.describe_load_balancers(Names=[SERVICE])["LoadBalancers"]
    [green] = elb.describe_target_groups(Names=[f"{SERVICE}-green"])["TargetGroups"]
    for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
        elb.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[
            {"Type": "forward", "TargetGroupArn": green["TargetGroupArn"]},
        ])


def test_what_a_release_changed_is_left_alone(aws, applied, released):
    found = changes(applied, aws)
    assert set().union(*found.values()) <= NOT_TOLD, found


OF_PROVIDER = (f"{EXAMPLE}/versions.tf", 'key_prefixes = ["sluice:"]', "key_prefixes = []")
OF_MODULE = [
    ("modules/service/main.tf", "      task_definition,\n      load_balancer,\n      desired_count,\n", ""),
    ("modules/service/main.tf", '      tags["sluice:hold"],\n      tags_all["sluice:hold"],\n', ""),
    ("modules/service/load_balancing.tf", "ignore_changes = [default_action]", "ignore_changes = []"),
]


def test_a_release_and_a_hold_would_be_undone_if_terraform_did_not_ignore_them(aws, applied, released):
    found = changes(edited(applied, OF_PROVIDER, *OF_MODULE), aws)
    module = 'module.environment["production"].module.service'
    undone = {name for _, name in found[f"{module}.aws_ecs_service.this"]}
    assert {"task_definition", "desired_count", "tags"} <= undone
    for route in ("production", "test"):
        assert ("aws_lb_listener", "default_action") in found[f'{module}.aws_lb_listener.this["{route}"]']


def test_a_hold_survives_without_the_provider_s_help_and_a_verdict_does_not(aws, applied, released):
    found = changes(edited(applied, OF_PROVIDER), aws)
    by_tags = {address for address, names in found.items() if any(name == "tags" for _, name in names)}
    assert by_tags == {'module.environment["production"].aws_ecs_task_definition.this'}, found


def edited(applied: Tree, *edits: tuple) -> Tree:
    """The applied example with these edits, and its state."""
    path = applied.path.with_name("example-edited")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(applied.path, path, symlinks=True)
    tree = Tree(path)
    for edit in edits:
        tree.plant(*edit)
    return tree


def test_a_subject_with_a_wildcard_is_refused_before_anything_is_planned(aws, applied):
    tree = edited(applied, (f"{EXAMPLE}/main.tf", ":ref:refs/heads/main", ":ref:refs/heads/*"))
    ran = tree.terraform(EXAMPLE, "plan", *VARIABLES, **aws.environment)
    assert ran.code == 1 and "A wildcard would let every branch push" in ran.text, ran.text


def test_without_a_first_image_there_is_what_the_pipeline_needs_and_no_service(aws, applied):
    planned = applied.terraform(EXAMPLE, "plan", "-state=none.tfstate", VARIABLES[0], **aws.environment).ok()
    assert "aws_ecr_repository.this will be created" in planned.text
    assert "aws_iam_openid_connect_provider.this[0] will be created" in planned.text
    assert "aws_ecs_service" not in planned.text
