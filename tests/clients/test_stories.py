"""Every modelled operation succeeds in its service's life story.

Each answer is held against the published model by `Cloud.hold_against_model`; each story
ends by asking whether it came through all of its service's operations.
"""

import json
from datetime import datetime, timedelta, timezone

import pytest

from localcloud import ACCOUNT, ROOT, free_port, wait_for
from scene import blue_green, digest_of, function, package, push_image, queue, task_definition

MODELLED = json.loads((ROOT / "tests/cloud/models/modelled.json").read_text())


def covers(cloud, *services: str) -> None:
    missing = [f"{s}:{o}" for s in services for o in MODELLED[s] if (s, o) not in cloud.succeeded]
    assert not missing, f"the story left out {', '.join(missing)}"


def tagged(client, arn_member: str, arn: str, key="Key", value="Value", tags="Tags", keys="TagKeys", listed=None):
    """Tags a resource, reads the tag, takes it off."""
    client.tag_resource(**{arn_member: arn, tags: [{key: "team", value: "one"}]})
    answer = client.list_tags_for_resource(**{arn_member: arn})
    assert {key: "team", value: "one"} in answer[listed or tags]
    client.untag_resource(**{arn_member: arn, keys: ["team"]})
    assert {key: "team", value: "one"} not in client.list_tags_for_resource(**{arn_member: arn})[listed or tags]


def test_a_registry(cloud):
    ecr = cloud.ecr
    image = push_image(cloud, "api", "v1", APP_VERSION="1")
    digest = image.split("@")[1]
    arn = ecr.describe_repositories(repositoryNames=["api"])["repositories"][0]["repositoryArn"]
    tagged(ecr, "resourceArn", arn, tags="tags", keys="tagKeys")
    assert ecr.list_images(repositoryName="api")["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
    text = ecr.batch_get_image(repositoryName="api", imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"]
    assert digest_of(text.encode()) == digest
    config = json.loads(text)["config"]["digest"]
    assert ecr.get_download_url_for_layer(repositoryName="api", layerDigest=config)["downloadUrl"].startswith(cloud.url)
    ecr.put_image_scanning_configuration(repositoryName="api", imageScanningConfiguration={"scanOnPush": True})
    ecr.start_image_scan(repositoryName="api", imageId={"imageTag": "v1"})
    ecr.get_waiter("image_scan_complete").wait(repositoryName="api", imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 1})
    assert ecr.describe_image_scan_findings(repositoryName="api", imageId={"imageTag": "v1"})["imageScanStatus"]["status"] == "COMPLETE"
    rule = {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
            "action": {"type": "expire"}}
    ecr.put_lifecycle_policy(repositoryName="api", lifecyclePolicyText=json.dumps({"rules": [rule]}))
    assert "imageCountMoreThan" in ecr.get_lifecycle_policy(repositoryName="api")["lifecyclePolicyText"]
    ecr.delete_lifecycle_policy(repositoryName="api")
    ecr.put_image_tag_mutability(repositoryName="api", imageTagMutability="IMMUTABLE")
    assert ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert ecr.batch_delete_image(repositoryName="api", imageIds=[{"imageDigest": digest}])["imageIds"]
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_images(repositoryName="api", imageIds=[{"imageTag": "v1"}])
    ecr.describe_images(repositoryName="api")
    ecr.delete_repository(repositoryName="api", force=True)
    covers(cloud, "ecr")


def test_logs_secrets_and_who_one_is(cloud):
    logs, secrets = cloud.logs, cloud.secretsmanager
    logs.create_log_group(logGroupName="g")
    logs.put_retention_policy(logGroupName="g", retentionInDays=7)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = json.loads(cloud.look("clock"))["now"]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now, "message": "one ERROR"}])
    assert logs.describe_log_streams(logGroupName="g")["logStreams"][0]["logStreamName"] == "s"
    assert logs.get_log_events(logGroupName="g", logStreamName="s")["events"][0]["message"] == "one ERROR"
    assert len(logs.filter_log_events(logGroupName="g", filterPattern="ERROR")["events"]) == 1
    assert not logs.filter_log_events(logGroupName="g", filterPattern="absent")["events"]
    logs.delete_log_group(logGroupName="g")
    secrets.create_secret(Name="token", SecretString="a")
    secrets.put_secret_value(SecretId="token", SecretString="b")
    secrets.update_secret(SecretId="token", Description="d")
    assert secrets.get_secret_value(SecretId="token")["SecretString"] == "b"
    assert secrets.get_secret_value(SecretId="token", VersionStage="AWSPREVIOUS")["SecretString"] == "a"
    assert secrets.describe_secret(SecretId="token")["Description"] == "d"
    assert [s["Name"] for s in secrets.list_secrets()["SecretList"]] == ["token"]
    secrets.delete_secret(SecretId="token", ForceDeleteWithoutRecovery=True)
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId="token")
    assert cloud.sts.get_caller_identity()["Account"] == ACCOUNT
    covers(cloud, "logs", "secretsmanager", "sts")


def test_a_load_balancer(cloud):
    elb = cloud.elbv2
    arn = elb.create_load_balancer(Name="one", Subnets=["a", "b"])["LoadBalancers"][0]["LoadBalancerArn"]
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn])
    attribute = [{"Key": "idle_timeout.timeout_seconds", "Value": "30"}]
    assert elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attribute)["Attributes"]
    assert attribute[0] in elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    group = elb.create_target_group(Name="g", Protocol="HTTP", Port=80, TargetType="ip", VpcId="v")["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/up")
    assert elb.describe_target_groups(Names=["g"])["TargetGroups"][0]["HealthCheckPath"] == "/up"
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
    assert delay[0] in elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    target = [{"Id": "127.0.0.1", "Port": 1}]
    elb.register_targets(TargetGroupArn=group, Targets=target)
    assert elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]["TargetHealth"]["State"] == "unused"
    elb.deregister_targets(TargetGroupArn=group, Targets=target)
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=free_port(), DefaultActions=forward)["Listeners"][0]["ListenerArn"]
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no"}}]
    elb.modify_listener(ListenerArn=listener, DefaultActions=fixed)
    assert elb.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["DefaultActions"][0]["Type"] == "fixed-response"
    path = [{"Field": "path-pattern", "Values": ["/api/*"]}]
    rule = elb.create_rule(ListenerArn=listener, Priority=1, Conditions=path, Actions=forward)["Rules"][0]["RuleArn"]
    elb.modify_rule(RuleArn=rule, Actions=fixed)
    assert [r["Priority"] for r in elb.describe_rules(ListenerArn=listener)["Rules"]] == ["1", "default"]
    elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "k", "Value": "v"}])
    elb.remove_tags(ResourceArns=[arn], TagKeys=["k"])
    assert elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"] == []
    elb.delete_rule(RuleArn=rule)
    elb.delete_listener(ListenerArn=listener)
    elb.delete_target_group(TargetGroupArn=group)
    elb.delete_load_balancer(LoadBalancerArn=arn)
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    covers(cloud, "elbv2")


def test_metrics_and_alarms(cloud):
    watch = cloud.cloudwatch
    now = datetime.fromtimestamp(json.loads(cloud.look("clock"))["now"] / 1000, timezone.utc)
    watch.put_metric_data(Namespace="app", MetricData=[{"MetricName": "m", "Value": 3, "Timestamp": now - timedelta(minutes=3)}])
    assert [m["MetricName"] for m in watch.list_metrics(Namespace="app")["Metrics"]] == ["m"]
    span = {"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=1)}
    stat = watch.get_metric_statistics(Namespace="app", MetricName="m", Period=60, Statistics=["Sum"], **span)
    assert [p["Sum"] for p in stat["Datapoints"]] == [3.0]
    metric = {"Metric": {"Namespace": "app", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "m", "MetricStat": metric, "ReturnData": False}, {"Id": "e", "Expression": "m * 2"}]
    assert watch.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"][0]["Values"] == [6.0]
    watch.put_metric_alarm(
        AlarmName="a", Namespace="app", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )
    watch.put_composite_alarm(AlarmName="c", AlarmRule='ALARM("a")')
    watch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="by hand")
    both = watch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert [a["StateValue"] for a in both["MetricAlarms"] + both["CompositeAlarms"]] == ["ALARM", "ALARM"]
    assert watch.describe_alarms()["CompositeAlarms"] == []
    assert watch.describe_alarms_for_metric(Namespace="app", MetricName="m")["MetricAlarms"]
    assert watch.describe_alarm_history(AlarmName="a", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    watch.disable_alarm_actions(AlarmNames=["a"])
    watch.enable_alarm_actions(AlarmNames=["a"])
    tagged(watch, "ResourceARN", both["MetricAlarms"][0]["AlarmArn"])
    watch.delete_alarms(AlarmNames=["c"])
    watch.delete_alarms(AlarmNames=["a"])
    assert watch.describe_alarms()["MetricAlarms"] == []
    covers(cloud, "cloudwatch")


def test_rules_and_targets(cloud):
    events, (_, arn) = cloud.events, queue(cloud, "q")
    pattern = '{"source": ["app"]}'
    rule = events.put_rule(Name="r", EventPattern=pattern)["RuleArn"]
    events.put_targets(Rule="r", Targets=[{"Id": "q", "Arn": arn}])
    assert events.list_targets_by_rule(Rule="r")["Targets"][0]["Arn"] == arn
    assert events.list_rule_names_by_target(TargetArn=arn)["RuleNames"] == ["r"]
    tagged(events, "ResourceARN", rule)
    events.disable_rule(Name="r")
    assert events.describe_rule(Name="r")["State"] == "DISABLED"
    events.enable_rule(Name="r")
    assert events.list_rules()["Rules"][0]["State"] == "ENABLED"
    entries = [{"Source": "app", "DetailType": "t", "Detail": "{}"}, {"Source": "aws.ecs", "DetailType": "t", "Detail": "{}"}]
    answer = events.put_events(Entries=entries)
    assert (answer["FailedEntryCount"], answer["Entries"][1]["ErrorCode"]) == (1, "NotAuthorizedForSourceException")
    event = {"id": "1", "account": ACCOUNT, "source": "app", "time": "2026-01-01T00:00:00Z", "region": "x", "resources": [],
             "detail-type": "t", "detail": {}}
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
    events.remove_targets(Rule="r", Ids=["q"])
    events.delete_rule(Name="r")
    assert events.list_rules()["Rules"] == []
    covers(cloud, "events")


def test_functions(cloud):
    client, (_, arn) = cloud.lambda_, queue(cloud, "q")
    function(cloud, "f", "return 1")
    code = client.get_function(FunctionName="f")["Configuration"]["CodeSha256"]
    changed = client.update_function_code(FunctionName="f", ZipFile=package("return 2"))
    assert changed["CodeSha256"] != code
    client.update_function_configuration(FunctionName="f", Timeout=7)
    client.get_waiter("function_updated_v2").wait(FunctionName="f")
    assert client.get_function_configuration(FunctionName="f")["Timeout"] == 7
    assert json.load(client.invoke(FunctionName="f", Payload=b"{}")["Payload"]) == 2
    assert [f["FunctionName"] for f in client.list_functions()["Functions"]] == ["f"]
    client.add_permission(FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com")
    assert "events.amazonaws.com" in client.get_policy(FunctionName="f")["Policy"]
    client.remove_permission(FunctionName="f", StatementId="s")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    assert client.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 2
    client.delete_function_concurrency(FunctionName="f")
    client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    assert client.get_function_event_invoke_config(FunctionName="f")["MaximumRetryAttempts"] == 0
    client.delete_function_event_invoke_config(FunctionName="f")
    mapping = client.create_event_source_mapping(FunctionName="f", EventSourceArn=arn)["UUID"]
    client.update_event_source_mapping(UUID=mapping, BatchSize=1)
    assert client.get_event_source_mapping(UUID=mapping)["BatchSize"] == 1
    assert len(client.list_event_source_mappings(FunctionName="f")["EventSourceMappings"]) == 1
    client.delete_event_source_mapping(UUID=mapping)
    resource = client.get_function(FunctionName="f")["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=resource, Tags={"k": "v"})
    client.untag_resource(Resource=resource, TagKeys=["k"])
    assert client.list_tags(Resource=resource)["Tags"] == {}
    client.delete_function(FunctionName="f")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="f")
    covers(cloud, "lambda")


def test_topics_and_queues(cloud):
    sns, sqs, (url, arn) = cloud.sns, cloud.sqs, queue(cloud, "q")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="T")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "T"
    assert [t["TopicArn"] for t in sns.list_topics()["Topics"]] == [topic]
    tagged(sns, "ResourceArn", topic)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true")
    assert sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["RawMessageDelivery"] == "true"
    assert len(sns.list_subscriptions()["Subscriptions"]) == len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1
    sns.publish(TopicArn=topic, Message="one")
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "2", "Message": "two"}])
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.delete_topic(TopicArn=topic)

    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
    assert [m["Body"] for m in got] == ["one", "two"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"], VisibilityTimeout=60)
    entry = {"Id": "1", "ReceiptHandle": got[1]["ReceiptHandle"]}
    assert sqs.change_message_visibility_batch(QueueUrl=url, Entries=[{**entry, "VisibilityTimeout": 60}])["Successful"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    assert sqs.delete_message_batch(QueueUrl=url, Entries=[entry])["Successful"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "y"}])["Successful"]
    sqs.purge_queue(QueueUrl=url)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"] == "0"
    sqs.tag_queue(QueueUrl=url, Tags={"k": "v"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"k": "v"}
    sqs.untag_queue(QueueUrl=url, TagKeys=["k"])
    source, _ = queue(cloud, "source")
    sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})})
    assert sqs.list_dead_letter_source_queues(QueueUrl=url)["queueUrls"] == [source]
    assert sqs.get_queue_url(QueueName="q")["QueueUrl"] == url
    assert len(sqs.list_queues()["QueueUrls"]) == 2
    sqs.delete_queue(QueueUrl=url)
    covers(cloud, "sns", "sqs")


NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def test_clusters_services_task_sets_and_tasks(cloud):
    ecs = cloud.ecs
    image = push_image(cloud, "api", "v1", APP_VERSION="1")
    arn = ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"]
    assert ecs.list_clusters()["clusterArns"] == [arn]
    tagged(ecs, "resourceArn", arn, key="key", value="value", tags="tags", keys="tagKeys")
    first = ecs.register_task_definition(**task_definition("api", image))["taskDefinition"]["taskDefinitionArn"]
    second = ecs.register_task_definition(**task_definition("api", image))["taskDefinition"]["taskDefinitionArn"]
    assert ecs.list_task_definitions(familyPrefix="api")["taskDefinitionArns"] == [first, second]
    assert ecs.list_task_definition_families()["families"] == ["api"]
    service = {"cluster": "c", "desiredCount": 1, "launchType": "FARGATE", "networkConfiguration": NETWORK}
    ecs.create_service(serviceName="s", taskDefinition=first, **service)
    ecs.get_waiter("services_stable").wait(cluster="c", services=["s"], WaiterConfig={"Delay": 1})

    def settled():
        return ecs.describe_services(cluster="c", services=["s"])["services"][0]["deployments"][0]["rolloutState"] == "COMPLETED"

    wait_for(settled, 30, "there is a deployment to roll back to")
    ecs.update_service(cluster="c", service="s", taskDefinition=second)
    running = ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"][0]
    revision = running["targetServiceRevisionArn"]
    assert ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]["taskDefinition"] == second
    ecs.stop_service_deployment(serviceDeploymentArn=running["serviceDeploymentArn"], stopType="ROLLBACK")

    def rolled_back():
        described = ecs.describe_service_deployments(serviceDeploymentArns=[running["serviceDeploymentArn"]])
        return described["serviceDeployments"][0]["status"] == "ROLLBACK_SUCCESSFUL"

    wait_for(rolled_back, 30, "the deployment is rolled back")
    task = ecs.run_task(cluster="c", taskDefinition=first, launchType="FARGATE", networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
    assert task in ecs.list_tasks(cluster="c")["taskArns"]
    ecs.stop_task(cluster="c", task=task, reason="enough")
    assert ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]["stoppedReason"] == "enough"

    ecs.create_service(serviceName="e", deploymentController={"type": "EXTERNAL"}, cluster="c", desiredCount=1)
    sets = [
        ecs.create_task_set(
            cluster="c", service="e", taskDefinition=revision, launchType="FARGATE", networkConfiguration=NETWORK,
            scale={"value": 100, "unit": "PERCENT"},
        )["taskSet"]["id"] for revision in (first, second)
    ]
    ecs.update_service_primary_task_set(cluster="c", service="e", primaryTaskSet=sets[1])
    assert ecs.update_task_set(cluster="c", service="e", taskSet=sets[0], scale={"value": 0, "unit": "PERCENT"})["taskSet"]["scale"]["value"] == 0
    ecs.delete_task_set(cluster="c", service="e", taskSet=sets[0], force=True)
    assert ecs.describe_task_sets(cluster="c", service="e", taskSets=[sets[1]])["taskSets"][0]["status"] == "PRIMARY"
    assert len(ecs.list_services(cluster="c")["serviceArns"]) == 2
    for name in ("s", "e"):
        ecs.delete_service(cluster="c", service=name, force=True)
    ecs.get_waiter("services_inactive").wait(cluster="c", services=["s", "e"], WaiterConfig={"Delay": 1})
    wait_for(lambda: not ecs.list_tasks(cluster="c")["taskArns"], 30, "no task is left")
    assert ecs.deregister_task_definition(taskDefinition=first)["taskDefinition"]["status"] == "INACTIVE"
    assert ecs.describe_task_definition(taskDefinition="api")["taskDefinition"]["taskDefinitionArn"] == second
    ecs.delete_cluster(cluster="c")
    assert ecs.describe_clusters(clusters=["c"])["clusters"][0]["status"] == "INACTIVE"
    covers(cloud, "ecs")


REPORTS = 'report(event, "Succeeded")'


def test_applications_groups_configurations_and_deployments(cloud):
    deploy = cloud.codedeploy
    scene = blue_green(cloud, "api", config="CodeDeployDefault.ECSAllAtOnce", termination_wait=60)
    app, group = {"applicationName": scene.application}, {"deploymentGroupName": scene.group}
    both = {**app, **group}
    assert deploy.list_applications()["applications"] == [scene.application]
    assert deploy.get_application(**app)["application"]["computePlatform"] == "ECS"
    assert len(deploy.batch_get_applications(applicationNames=[scene.application])["applicationsInfo"]) == 1
    assert deploy.list_deployment_groups(**app)["deploymentGroups"] == [scene.group]
    assert len(deploy.batch_get_deployment_groups(**app, deploymentGroupNames=[scene.group])["deploymentGroupsInfo"]) == 1
    arn = f"arn:aws:codedeploy:eu-west-1:{ACCOUNT}:deploymentgroup:{scene.application}/{scene.group}"
    tagged(deploy, "ResourceArn", arn)
    traffic = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 20, "canaryInterval": 1}}
    deploy.create_deployment_config(deploymentConfigName="mine", computePlatform="ECS", trafficRoutingConfig=traffic)
    assert "mine" in deploy.list_deployment_configs()["deploymentConfigsList"]
    assert deploy.get_deployment_config(deploymentConfigName="mine")["deploymentConfigInfo"]["computePlatform"] == "ECS"
    deploy.update_deployment_group(**app, currentDeploymentGroupName=scene.group, deploymentConfigName="mine")
    assert deploy.get_deployment_group(**both)["deploymentGroupInfo"]["deploymentConfigName"] == "mine"

    function(cloud, "CodeDeployHook_ok", REPORTS)
    target = scene.register(push_image(cloud, "api", "v2", APP_VERSION="2"))
    content = scene.appspec(target, {"BeforeAllowTraffic": "CodeDeployHook_ok"})
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}
    deploy.register_application_revision(**app, revision=revision)
    known = deploy.list_application_revisions(**app)["revisions"]
    assert deploy.get_application_revision(**app, revision=known[0])["revision"]["appSpecContent"]["content"]
    assert deploy.batch_get_application_revisions(**app, revisions=known)["revisions"]
    deployment = deploy.create_deployment(**both, revision=revision)["deploymentId"]
    shifted = f"{scene.cluster}:{scene.name}"

    def target_is_done():
        if scene.deployment(deployment)["status"] == "Created":
            return False
        described = deploy.get_deployment_target(deploymentId=deployment, targetId=shifted)
        return described["deploymentTarget"]["ecsTarget"]["status"] == "Succeeded"

    wait_for(target_is_done, 60, "the target is done")
    assert scene.deployment(deployment)["status"] == "InProgress", "the wait before blue ends counts as active"
    deploy.continue_deployment(deploymentId=deployment, deploymentWaitType="TERMINATION_WAIT")
    assert scene.ended(deployment)["status"] == "Succeeded"
    assert deploy.list_deployment_targets(deploymentId=deployment)["targetIds"] == [shifted]
    assert deploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=[shifted])["deploymentTargets"]
    stopped = scene.deploy(scene.register(push_image(cloud, "api", "v3", APP_VERSION="3")))
    wait_for(lambda: scene.deployment(stopped)["status"] == "InProgress", 30, "it runs")
    deploy.stop_deployment(deploymentId=stopped, autoRollbackEnabled=False)
    assert scene.ended(stopped)["status"] == "Stopped"
    wait_for(lambda: len(deploy.list_deployments(**both)["deployments"]) == 2, 30, "the list knows both")
    assert len(deploy.batch_get_deployments(deploymentIds=[deployment, stopped])["deploymentsInfo"]) == 2
    assert len(cloud.calls("codedeploy", "PutLifecycleEventHookExecutionStatus")) == 1
    cloud.succeeded.add(("codedeploy", "PutLifecycleEventHookExecutionStatus"))
    deploy.delete_deployment_group(**both)
    deploy.delete_deployment_config(deploymentConfigName="mine")
    deploy.delete_application(**app)
    assert deploy.list_applications()["applications"] == []
    covers(cloud, "codedeploy")
