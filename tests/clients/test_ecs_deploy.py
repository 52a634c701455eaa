"""Deployment tools of others, as they are on PyPI."""

import json

from localcloud import wait_for
from scene import balanced, blue_green, create_service, push_image


def rolling(cloud, name: str, **more):
    scene = balanced(cloud, name)
    create_service(scene, push_image(cloud, name, "v1", APP_VERSION="1"), "ECS", **more)
    scene.steady()
    return scene


def primary(scene) -> dict:
    service = scene.cloud.ecs.describe_services(cluster=scene.cluster, services=[scene.name])["services"][0]
    return next(d for d in service["deployments"] if d["status"] == "PRIMARY")


def test_ecs_deploy_rolls_a_new_image_out_and_waits_for_its_end(cloud):
    scene = rolling(cloud, "api")
    image = push_image(cloud, "api", "v2", APP_VERSION="2")
    done = cloud.run("ecs", "deploy", scene.cluster, scene.name, "--image", "app", image, "--timeout", "90")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deployment successful" in done.stdout
    wait_for(lambda: scene.versions(20) == {"2": 20}, 30, "version 2 alone")


def test_an_image_whose_tasks_exit_is_taken_back_by_the_circuit_breaker(cloud):
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    scene = rolling(cloud, "api", deploymentConfiguration=breaker)
    good = primary(scene)["taskDefinition"]
    image = push_image(cloud, "api", "v2", APP_VERSION="2", APP_START_DELAY_MS="60000", APP_EXIT_AFTER_MS="50", APP_EXIT_CODE="3")
    cloud.ecs.update_service(cluster=scene.cluster, service=scene.name, taskDefinition=scene.register(image))
    wait_for(
        lambda: primary(scene)["taskDefinition"] == good and primary(scene)["rolloutState"] == "COMPLETED",
        120, "the good revision is primary again",
    )
    assert scene.versions(20) == {"1": 20}
    deployments = cloud.ecs.list_service_deployments(cluster=scene.cluster, service=scene.name)
    assert "ROLLBACK_SUCCESSFUL" in {d["status"] for d in deployments["serviceDeployments"]}


def test_the_cli_s_own_deploy_command_brings_a_blue_green_deployment_to_its_end(cloud, tmp_path):
    scene = blue_green(cloud, "web", config="CodeDeployDefault.ECSAllAtOnce")
    image = push_image(cloud, "web", "v2", APP_VERSION="2")
    described = cloud.ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]
    wanted = {k: described[k] for k in ("family", "networkMode", "cpu", "memory", "executionRoleArn",
                                        "requiresCompatibilities", "containerDefinitions")}
    wanted["containerDefinitions"][0]["image"] = image
    (tmp_path / "task.json").write_text(json.dumps(wanted))
    (tmp_path / "appspec.json").write_text(scene.appspec("to be filled in by the command"))
    done = cloud.run(
        "aws", "ecs", "deploy", "--cluster", scene.cluster, "--service", scene.name,
        "--task-definition", str(tmp_path / "task.json"), "--codedeploy-appspec", str(tmp_path / "appspec.json"),
        "--codedeploy-application", scene.application, "--codedeploy-deployment-group", scene.group,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert scene.versions(20) == {"2": 20}
