"""What IAM would say: the policies of the functions' roles, and whether they allow a request.

Only what template.yaml uses is understood; anything else is an error, never a yes."""

import dataclasses
import functools
import re


@dataclasses.dataclass(frozen=True)
class Request:
    """One question to IAM. `context` holds condition keys; lists for those with several values."""

    action: str
    resource: str
    context: tuple = ()

    def value(self, key):
        return dict(self.context).get(key)


@dataclasses.dataclass(frozen=True)
class Grant:
    """The smallest part of a policy that can be taken away: an action on a resource."""

    policy: str
    statement: int
    action: str
    resource: str


@dataclasses.dataclass
class Statement:
    policy: str
    number: int
    actions: list
    resources: list
    conditions: dict

    def grants(self):
        for action in self.actions:
            for resource in self.resources:
                yield Grant(self.policy, self.number, action, resource)

    def granting(self, request):
        if not all(holds(name, keys, request) for name, keys in self.conditions.items()):
            return
        for grant in self.grants():
            if like(grant.action.lower(), request.action.lower()) and like(grant.resource, request.resource):
                yield grant


def like(pattern, text):
    """IAM's wildcards."""
    return pattern_of(pattern).fullmatch(text) is not None


@functools.cache
def pattern_of(pattern):
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile("".join(parts))


def holds(operator, keys, request):
    return all(one_holds(operator, listed(wanted), request.value(key)) for key, wanted in keys.items())


def one_holds(operator, wanted, value):
    if operator == "Null":
        return (value is None) == (wanted == ["true"])
    every, _, operator = operator.rpartition(":")
    compare = {
        "StringEquals": lambda pattern, text: pattern == text,
        "StringLike": like,
        "ArnEquals": like,
        "ArnLike": like,
    }[operator]
    values = listed(value) if value is not None else []
    matched = [any(compare(pattern, text) for pattern in wanted) for text in values]
    match every:
        case "ForAllValues":
            return all(matched)
        case "":
            return matched == [True]
    raise AssertionError(f"{every}: is not evaluated here")


def listed(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def statements(policy, document):
    for number, statement in enumerate(document["Statement"]):
        assert statement["Effect"] == "Allow" and not set(statement) - {"Effect", "Action", "Resource", "Condition"}
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        yield Statement(policy, number, actions, resources, statement.get("Condition", {}))


def of_role(stack, role):
    """The statements of a role's policies. AWS's own managed policies are left out."""
    made = stack.resources[role]
    found = []
    for policy in made.get("Policies", []):
        found += statements(policy["PolicyName"], policy["PolicyDocument"])
    for attached in made.get("ManagedPolicyArns", []):
        name = attached.removesuffix(".Arn")
        found += statements(name, stack.resources[name]["PolicyDocument"])
    return found


def of_functions(stack):
    """Statements by the logical name of the function."""
    functions = stack.of_type("AWS::Lambda::Function")
    return {
        name.removesuffix("Function"): of_role(stack, made["Role"].removesuffix(".Arn"))
        for name, made in functions.items()
    }
