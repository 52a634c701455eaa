"""What template.yaml promises beside rights and rules: it is sound by AWS's own tools, each
function has its place in it, nothing that fails is lost, and lists that fit stay within limits."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from conftest import TARGET
from template import REGION, ROOT, TEMPLATE, Stack, arn

BIN = sys.prefix + "/bin"

# checkov's findings that are meant, and why.
MEANT = {
    "CKV_AWS_27": "queues are encrypted by SQS's own key (SqsManagedSseEnabled), which this check does not know",
    "CKV_AWS_115": "a limit would make AWS throttle what must not wait; only notify must not run twice at once",
    "CKV_AWS_116": "what fails goes to a queue as the destination of failures, which keeps the error as well",
    "CKV_AWS_117": "only lifecycle-hook has to reach something inside a VPC, and does by parameter",
    "CKV_AWS_158": "logs hold no secret, which tests show; CloudWatch encrypts them with its own key",
    "CKV_AWS_173": "the variables are names and ARNs; Lambda encrypts them with its own key",
}


def run(*command, **options):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, **options)


@pytest.fixture(scope="module")
def file(template, tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "transformed.json"
    path.write_text(json.dumps(template, indent=1))
    return path


def test_sam_finds_no_fault():
    done = run(f"{BIN}/sam", "validate", "--lint", "--template", TEMPLATE, "--region", REGION)
    assert done.returncode == 0, done.stdout + done.stderr


def test_cfn_lint_finds_no_fault_after_the_transform(file):
    done = run(f"{BIN}/cfn-lint", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_finds_nothing_that_is_not_meant(file):
    done = run(f"{BIN}/checkov", "-f", file, "--framework", "cloudformation", "-o", "json", "--quiet", "--skip-download")
    answer = json.loads(done.stdout)
    results = answer["results"]
    assert answer["summary"]["parsing_errors"] == 0 and answer["summary"]["passed"] > 50
    found = {check["check_id"]: check["resource"] for check in results["failed_checks"]}
    assert {check: where for check, where in found.items() if check not in MEANT} == {}
    assert sorted(set(MEANT) - set(found)) == [], "no longer found: take the exception out"


def test_sam_builds_each_function(built):
    folders = {path.name for path in built.iterdir() if path.is_dir()}
    functions = yaml.safe_load((built / "template.yaml").read_text())["Resources"]
    functions = {name for name, it in functions.items() if it["Type"] == "AWS::Serverless::Function"}
    assert functions and functions <= folders
    assert all((built / name / "bootstrap").stat().st_size > 1_000_000 for name in functions)


def test_each_function_of_the_repository_has_its_place(stack):
    folders = {p.parent.name for p in ROOT.glob("functions/*/Cargo.toml")} - {"operator"}
    source = (line.strip() for line in TEMPLATE.read_text().splitlines())
    built = {line.split("Binary: ")[1].rstrip(" }") for line in source if line.startswith("BuildProperties:")}
    assert built == folders
    logs = {group["LogGroupName"] for group in stack.of_type("AWS::Logs::LogGroup").values()}
    assert logs == {f"/sluice/production/{folder}" for folder in folders}


def test_the_name_of_the_hook_is_one_that_codedeploy_may_invoke(stack):
    name = stack.resources["LifecycleHookFunction"]["FunctionName"]
    assert name.startswith("CodeDeployHook_")
    for function in stack.of_type("AWS::Lambda::Function").values():
        assert function["Environment"]["Variables"].get("SLUICE_HOOK_FUNCTION", name) == name


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_only_the_releases_of_its_environment_go_along(template, parameters, environment):
    stack = Stack(template, {**parameters, "Environment": environment})
    (layer,) = stack.of_type("AWS::Lambda::LayerVersion").values()
    assert layer["LayerName"] == f"sluice-{environment}-releases"
    checked = run(TARGET / "debug/sluice", "check", f"infra/releases/{environment}/releases.yaml")
    assert checked.returncode == 0, checked.stderr


def test_every_queue_is_encrypted_and_every_dead_letter_queue_has_an_alarm(stack):
    queues = stack.of_type("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
    waiting = [alarm for alarm in alarms if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"]
    watched = {alarm["Dimensions"][0]["Value"].split(".")[0] for alarm in waiting}
    assert watched == set(queues) - {"NotifyQueue"}
    assert all(alarm["AlarmActions"] == [stack.ref("OnCallTopic")] for alarm in alarms)


def test_what_fails_in_a_function_goes_to_a_queue(stack):
    configured = stack.of_type("AWS::Lambda::EventInvokeConfig").values()
    to = {c["FunctionName"]: c.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") for c in configured}
    # A queue's messages stay there; the next sweep is the retry, and an alarm tells if none succeeds.
    assert to.pop("sluice-production-sweep") is None
    functions = {f["FunctionName"] for f in stack.of_type("AWS::Lambda::Function").values()}
    assert functions - set(to) == {"sluice-production-notify", "sluice-production-sweep"}
    assert set(to.values()) == {stack.attribute("FailedQueue", "Arn")}


def test_it_is_told_when_no_sweep_succeeds_or_none_runs(stack):
    alarm, sweep = stack.resources["SweepAlarm"], stack.resources["SweepFunction"]
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": sweep["FunctionName"]}]
    assert (alarm["MetricName"], alarm["Statistic"], alarm["TreatMissingData"]) == ("Errors", "Minimum", "breaching")
    assert (sweep["Timeout"], sweep["ReservedConcurrentExecutions"]) == (300, 1)
    assert stack.resources["SweepFunctionEventInvokeConfig"]["MaximumRetryAttempts"] == 0


def test_ends_are_handled_one_at_a_time(stack):
    assert stack.resources["DeploymentStateFunction"]["ReservedConcurrentExecutions"] == 1


def test_the_queue_of_notify_is_what_the_readme_says_it_wants(stack):
    queue, function = stack.resources["NotifyQueue"], stack.resources["NotifyFunction"]
    (mapping,) = stack.of_type("AWS::Lambda::EventSourceMapping").values()
    assert (function["Timeout"], function["ReservedConcurrentExecutions"]) == (30, 1)
    assert (queue["VisibilityTimeout"], queue["RedrivePolicy"]["maxReceiveCount"]) == (180, 600)
    late = stack.resources["LateAlarm"]
    assert (late["MetricName"], late["Threshold"]) == ("ApproximateAgeOfOldestMessage", 900)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_without_slack_there_is_nothing_of_it(template, parameters):
    stack = Stack(template, {**parameters, "SlackSecretArn": ""})
    assert [name for name in stack.resources if name.startswith(("Notify", "Untold"))] == []


@pytest.mark.parametrize("left_out", [["Applications", "DeploymentGroups"], ["Secrets"], ["DatabaseClusters", "DatabaseInstances"], ["TaskRoles"], ["LogGroups"]])
def test_a_list_that_is_empty_leaves_no_statement_without_a_resource(template, parameters, left_out):
    stack = Stack(template, {name: value for name, value in parameters.items() if name not in left_out})
    documents = [p["PolicyDocument"] for r in stack.of_type("AWS::IAM::Role").values() for p in r.get("Policies", [])]
    documents += [p["PolicyDocument"] for p in stack.of_type("AWS::IAM::ManagedPolicy").values()]
    resources = [s["Resource"] for document in documents for s in document["Statement"]]
    assert all(r not in ("", [], [""]) for r in resources), resources


def test_no_arn_names_a_partition_region_or_account_itself():
    source = [line for line in TEMPLATE.read_text().splitlines() if "arn:" in line]
    assert source and all("arn:${AWS::Partition}:" in line for line in source), source


def test_policies_stay_within_iams_limits_with_lists_as_long_as_they_get(template, parameters):
    source = (ROOT / "functions/operator/src/parameters.rs").read_text()
    longest = {
        name: int(number.replace("_", ""))
        for name, number in re.findall(r'(?:name: |exact\()"(\w+)",(?: longest:)? ([\d_]+),', source)
    }
    assert set(longest) == {n for n, p in template["Parameters"].items() if p["Type"] == "CommaDelimitedList"} - {"SubnetIds", "SecurityGroupIds"}
    # With quotes and comma an ARN takes three more.
    one = "arn:aws-us-gov:x:us-gov-west-1:123456789012:"
    lists = {name: [one.ljust(length // 5 - 3, "x")] * 5 for name, length in longest.items()}
    stack = Stack(template, {**parameters, **lists})
    length = lambda document: len(json.dumps(document, separators=(",", ":")))
    for name, policy in stack.of_type("AWS::IAM::ManagedPolicy").items():
        assert length(policy["PolicyDocument"]) <= 6144, (name, length(policy["PolicyDocument"]))
    for name, role in stack.of_type("AWS::IAM::Role").items():
        assert sum(length(p["PolicyDocument"]) for p in role.get("Policies", [])) <= 10240, name


def test_samconfig_names_every_environment_and_parameters_that_there_are(template):
    import tomllib

    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert set(configured) == {"version", "default", "staging", "production"}
    for section, environment in {"default": "dev", "staging": "staging", "production": "production"}.items():
        deploy = configured[section]["deploy"]["parameters"]
        given = dict(item.split("=", 1) for item in deploy["parameter_overrides"] if "=" in item)
        assert given["Environment"] == environment and set(given) <= set(template["Parameters"])
        assert configured[section]["global"]["parameters"]["stack_name"] == f"sluice-{environment}"
        assert f"file://infra/releases/{environment}.parameters.yaml" in deploy["parameter_overrides"]
        assert configured[section]["build"]["parameters"]["parameter_overrides"] == deploy["parameter_overrides"]


def test_sam_reads_the_parameters_as_they_are_written(parameters, tmp_path):
    from samcli.cli.types import CfnParameterOverridesType

    written = {name: value for name, value in parameters.items() if isinstance(value, list)}
    file = tmp_path / "dev.parameters.yaml"
    file.write_text("# Written by `sluice parameters`.\n" + yaml.safe_dump(written))
    given = ["Environment=dev", f"file://{file}", "OnCallEmail=a@example.com"]
    read = CfnParameterOverridesType().convert(given, None, None)
    lists = {name: ",".join(arns) for name, arns in written.items()}
    assert read == {"Environment": "dev", "OnCallEmail": "a@example.com", **lists}
