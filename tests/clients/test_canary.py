"""A whole blue/green canary by unmodified clients, with real traffic."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from localcloud import wait_for
from scene import Traffic, blue_green, push_image


@pytest.mark.parametrize("cloud", [15], indirect=True)  # 20 s at 10%, for slow machines
def test_a_canary_takes_a_tenth_of_a_thousand_requests_then_all_and_loses_none(cloud):
    scene = blue_green(cloud, "api")
    revision = scene.register(push_image(cloud, "api", "v2", APP_VERSION="2"))
    with Traffic(scene) as traffic, ThreadPoolExecutor() as pool:
        revision_input = {
            "revisionType": "AppSpecContent", "appSpecContent": {"content": scene.appspec(revision)},
        }
        deployment = cloud.aws(
            "deploy", "create-deployment", "--application-name", scene.application,
            "--deployment-group-name", scene.group, "--revision", json.dumps(revision_input),
        )["deploymentId"]
        end = pool.submit(cloud.aws, "deploy", "wait", "deployment-successful", "--deployment-id", deployment)
        wait_for(lambda: set(scene.weights().values()) == {90, 10}, 60, "production at 90 to 10")
        counts = scene.versions(1_000)
        assert set(scene.weights().values()) == {90, 10}, "the canary was over before the thousandth request"
        assert counts["1"] + counts["2"] == 1_000
        assert 70 <= counts["2"] <= 130, counts
        end.result(120)
    cloud.aws("ecs", "wait", "services-stable", "--cluster", scene.cluster, "--services", scene.name)
    assert scene.versions(50) == {"2": 50}
    assert [(t["status"], t["taskDefinition"]) for t in scene.task_sets()] == [("PRIMARY", revision)]
    assert {status for _, status in traffic.counts} == {200}, traffic.counts


def test_the_lifecycle_of_a_deployment_is_shown_in_order_with_blue_and_green(cloud):
    scene = blue_green(cloud, "web", config="CodeDeployDefault.ECSAllAtOnce")
    revision = scene.register(push_image(cloud, "web", "v2", APP_VERSION="2"))
    deployment = scene.deploy(revision)
    assert scene.ended(deployment)["status"] == "Succeeded"
    targets = cloud.codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
    assert targets == [f"{scene.cluster}:{scene.name}"]
    target = cloud.codedeploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=targets)
    ecs = target["deploymentTargets"][0]["ecsTarget"]
    names = [event["lifecycleEventName"] for event in ecs["lifecycleEvents"]]
    assert names == [
        "BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic",
        "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic",
    ]
    assert {event["status"] for event in ecs["lifecycleEvents"]} <= {"Succeeded", "Skipped"}
    labels = {info["taskSetLabel"]: info for info in ecs["taskSetsInfo"]}
    assert set(labels) == {"Blue", "Green"}
    assert labels["Green"]["status"] == "PRIMARY" and labels["Green"]["trafficWeight"] == 100
    assert labels["Green"]["identifer"].startswith("ecs-svc/")
