import pytest

from tree import MODULES, Tree, in_background


@pytest.fixture(scope="session")
def aws():
    from moto_aws import Aws

    aws = Aws()
    yield aws
    aws.server.stop()


@pytest.fixture(scope="session")
def tree() -> Tree:
    return Tree.copied("tree")


@pytest.fixture(scope="session")
def tested(tree):
    """What becomes of `terraform test`, by module."""
    return {module: in_background(tree.test, module) for module in reversed(MODULES)}


@pytest.fixture(scope="session")
def applying(aws):
    """The example as it is applied: the provider waits a minute for load balancers."""
    from test_example import apply

    return in_background(apply, aws)


LONG = ["applying", "tested"]


def pytest_collection_modifyitems(items):
    """What is waited for comes last."""
    items.sort(key=lambda item: [name in item.fixturenames for name in LONG])


@pytest.fixture(scope="session", autouse=True)
def begun(request):
    """What takes long is begun first, and done beside the other tests."""
    for name in LONG:
        if any(name in item.fixturenames for item in request.session.items):
            request.getfixturevalue(name)
