"""template.yaml after the SAM transform, and what its intrinsic functions come to."""

import copy
import json
import pathlib

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"

PARTITION, REGION, ACCOUNT = "aws", "us-east-1", "123456789012"

# As it stands in the file's functions and layers; the transform wants something uploaded.
UPLOADED = {
    "AWS::Serverless::Function": ("CodeUri", "s3://bucket/function"),
    "AWS::Serverless::LayerVersion": ("ContentUri", "s3://bucket/layer"),
}

# ARN of a resource by its type: service, its own form, and the property that names it.
ARNS = {
    "AWS::SNS::Topic": ("sns", "{}", "TopicName"),
    "AWS::SQS::Queue": ("sqs", "{}", "QueueName"),
    "AWS::Lambda::Function": ("lambda", "function:{}", "FunctionName"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{}:*", "LogGroupName"),
    "AWS::Events::Rule": ("events", "rule/{}", "Name"),
}


def arn(service, resource, region=REGION):
    return f"arn:{PARTITION}:{service}:{region}:{ACCOUNT}:{resource}"


def transformed(text):
    """The template that CloudFormation makes of the text of a template of SAM."""
    template = yaml_parse(text)
    template["Globals"]["Function"].pop("CodeUri")
    for resource in template["Resources"].values():
        if resource["Type"] in UPLOADED:
            member, uri = UPLOADED[resource["Type"]]
            resource["Properties"][member] = uri
    defaults = {"Environment": "production", "Architecture": "arm64"}
    return json.loads(json.dumps(Translator({}, Parser()).translate(template, defaults)))


class Stack:
    """A template with its parameters: resources as they would be made."""

    def __init__(self, template, parameters):
        self.template = template
        declared = template["Parameters"]
        unknown = set(parameters) - set(declared)
        assert not unknown, f"template.yaml has no parameters {unknown}"
        self.parameters = {}
        for name, parameter in declared.items():
            value = parameters.get(name, parameter.get("Default"))
            assert value is not None, f"{name} has no value"
            if parameter["Type"] == "CommaDelimitedList":
                value = value if isinstance(value, list) else str(value).split(",")
            self.parameters[name] = value
        self.resources = {
            name: self.value(resource["Properties"])
            for name, resource in template["Resources"].items()
            if self.exists(resource)
        }

    def exists(self, resource):
        return "Condition" not in resource or self.condition(resource["Condition"])

    def type(self, name):
        return self.template["Resources"][name]["Type"]

    def of_type(self, kind):
        return {name: made for name, made in self.resources.items() if self.type(name) == kind}

    def condition(self, name):
        return self.test(self.template["Conditions"][name])

    def test(self, condition):
        ((function, arguments),) = condition.items()
        match function:
            case "Fn::Equals":
                left, right = map(self.value, arguments)
                return left == right
            case "Fn::Not":
                return not self.test(arguments[0])
        raise AssertionError(f"{function} is not evaluated here")

    def value(self, node):
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref":
                return self.ref(argument)
            if function.startswith("Fn::"):
                return self.function(function, argument)
        pairs = ((key, self.value(value)) for key, value in node.items())
        return {key: value for key, value in pairs if value is not None}

    def function(self, function, argument):
        match function:
            case "Fn::GetAtt":
                return self.attribute(*(argument.split(".") if isinstance(argument, str) else argument))
            case "Fn::If":
                name, then, otherwise = argument
                return self.value(then if self.condition(name) else otherwise)
            case "Fn::Join":
                return argument[0].join(self.value(argument[1]))
            case "Fn::Sub":
                return self.substituted(argument)
        raise AssertionError(f"{function} is not evaluated here")

    def substituted(self, text):
        for name in [part.split("}")[0] for part in text.split("${")[1:]]:
            value = self.attribute(*name.split(".")) if "." in name else self.ref(name)
            text = text.replace("${" + name + "}", str(value))
        return text

    def ref(self, name):
        pseudo = {
            "AWS::Partition": PARTITION, "AWS::Region": REGION, "AWS::AccountId": ACCOUNT,
            "AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": None,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        kind = self.type(name)
        if kind in ("AWS::SNS::Topic", "AWS::IAM::ManagedPolicy"):
            return self.attribute(name, "Arn")
        made = self.template["Resources"][name].get("Properties", {})
        return self.value(made[ARNS[kind][2]]) if kind in ARNS else name

    def attribute(self, name, attribute):
        kind = self.type(name)
        if attribute == "Arn" and kind in ARNS:
            service, form, property_ = ARNS[kind]
            named = self.value(self.template["Resources"][name]["Properties"][property_])
            return arn(service, form.format(named))
        return f"{name}.{attribute}"


def edited(template, edit):
    """A copy of a transformed template, changed."""
    copied = copy.deepcopy(template)
    edit(copied["Resources"])
    return copied
