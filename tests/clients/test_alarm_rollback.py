"""A new version that answers 5xx: the alarm of its target group takes it back."""

from localcloud import wait_for
from scene import Traffic, blue_green, events_to_queue, push_image, received


def error_rate_alarm(scene, name: str, target_group: str) -> None:
    """More than 5% of a target group's requests answered 5xx, by metric math."""
    dimensions = [
        {"Name": "TargetGroup", "Value": target_group.split(":")[-1]},
        {"Name": "LoadBalancer", "Value": scene.load_balancer.split("loadbalancer/")[-1]},
    ]

    def sum_of(metric: str) -> dict:
        named = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions}
        return {"Metric": named, "Period": 60, "Stat": "Sum"}

    scene.cloud.cloudwatch.put_metric_alarm(
        AlarmName=name, EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching", Metrics=[
            {"Id": "errors", "MetricStat": sum_of("HTTPCode_Target_5XX_Count"), "ReturnData": False},
            {"Id": "requests", "MetricStat": sum_of("RequestCount"), "ReturnData": False},
            {"Id": "rate", "Expression": "(errors / requests) * 100", "Label": "5xx %", "ReturnData": True},
        ],
    )


def test_an_alarm_of_the_green_target_group_stops_the_canary_and_brings_blue_back(cloud):
    scene = blue_green(cloud, "api", alarms=("api-5xx-blue", "api-5xx-green"), termination_wait=5)
    error_rate_alarm(scene, "api-5xx-blue", scene.blue)
    error_rate_alarm(scene, "api-5xx-green", scene.green)
    alarms = events_to_queue(cloud, "alarms", {
        "source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"state": {"value": ["ALARM"]}},
    })
    deployments = events_to_queue(cloud, "deployments", {"source": ["aws.codedeploy"]})
    bad = scene.register(push_image(cloud, "api", "v2", APP_VERSION="2", APP_ERROR_RATE="1"))
    with Traffic(scene) as traffic:
        deployment = scene.deploy(bad)
        info = scene.ended(deployment)
        assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
        rollback = wait_for(
            lambda: scene.deployment(deployment).get("rollbackInfo", {}).get("rollbackDeploymentId"),
            30, "a rollback deployment",
        )
        back = scene.ended(rollback)
        assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert scene.versions(100) == {"1": 100}
    assert scene.weights().get(scene.blue) == 100 and not scene.weights().get(scene.green)
    assert traffic.counts["2", 500] > 0, "green never took traffic"
    share = traffic.counts["2", 500] / sum(traffic.counts.values())
    assert share < 0.15, traffic.counts

    event = received(cloud, alarms, 1)[0]
    assert event["detail"]["alarmName"] == "api-5xx-green"
    assert event["detail"]["previousState"]["value"] in ("OK", "INSUFFICIENT_DATA")
    states = [(e["detail"]["deploymentId"], e["detail"]["state"]) for e in received(cloud, deployments, 4)]
    assert set(states) == {
        (deployment, "START"), (deployment, "STOP"), (rollback, "START"), (rollback, "SUCCESS"),
    }


def test_a_stop_without_rollback_leaves_traffic_where_it_is(cloud):
    scene = blue_green(cloud, "web")
    revision = scene.register(push_image(cloud, "web", "v2", APP_VERSION="2"))
    off = {"enabled": False}
    deployment = scene.deploy(revision, autoRollbackConfiguration=off)
    wait_for(lambda: set(scene.weights().values()) == {90, 10}, 60, "production at 90 to 10")
    stopped = cloud.codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=False)
    assert stopped["status"] in ("Pending", "Succeeded")
    info = scene.ended(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert "rollbackDeploymentId" not in info.get("rollbackInfo", {})
    assert set(scene.weights().values()) == {90, 10}
    try:
        cloud.codedeploy.stop_deployment(deploymentId=deployment)
        raise AssertionError("an ended deployment was stopped again")
    except cloud.codedeploy.exceptions.DeploymentAlreadyCompletedException:
        pass
