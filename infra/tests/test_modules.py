"""Each module and the example: formatted, valid, described, and passing its own tests."""

import re

import pytest

from tree import EXAMPLE, INFRA, MODULES

pytestmark = pytest.mark.terraform

FOLDERS = [f"modules/{module}" for module in MODULES] + [EXAMPLE]


def test_everything_is_formatted(tree):
    tree.terraform(".", "fmt", "-check", "-diff", "-recursive").ok()


@pytest.mark.parametrize("module", MODULES)
def test_the_tests_of_the_module_pass(tested, module):
    ran = tested[module].result().ok()
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", ran.text), ran.text


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_is_valid(tree, tested, folder):
    for test in tested.values():
        test.result()
    tree.init(folder).terraform(folder, "validate").ok()


@pytest.mark.parametrize("folder", FOLDERS + [f"{EXAMPLE}/environment"])
def test_every_variable_and_output_is_described_and_every_variable_has_a_type(folder):
    for file in sorted((INFRA / folder).glob("*.tf")):
        for kind, name, body in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', file.read_text(), re.M | re.S):
            assert re.search(r'^  description = "\w', body, re.M), f"{folder}: {kind} {name} has no description"
            assert kind == "output" or re.search(r"^  type +=", body, re.M), f"{folder}: {name} has no type"


@pytest.mark.parametrize("folder", FOLDERS + [f"{EXAMPLE}/environment"])
def test_versions_are_pinned_and_no_region_or_partition_is_written_out(folder):
    text = "\n".join(file.read_text() for file in (INFRA / folder).glob("*.tf"))
    assert 'required_version = ">= 1.11"' in text and 'version = "~> 5.100"' in text
    assert not re.search(r"arn:aws[a-z-]*:", text), "an ARN with its partition"
    assert not re.search(r"\b(us|eu|ap|cn|ca|sa|af|me|il)(-gov)?-[a-z]+-\d\b", text), "a region"
