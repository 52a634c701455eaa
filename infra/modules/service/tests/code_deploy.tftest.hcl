# A service under CodeDeploy, as planned without AWS.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

override_resource {
  target          = aws_lb_target_group.this["blue"]
  override_during = plan
  values = {
    arn        = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:targetgroup/api-blue/1"
    arn_suffix = "targetgroup/api-blue/1"
  }
}

override_resource {
  target          = aws_lb_target_group.this["green"]
  override_during = plan
  values = {
    arn        = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:targetgroup/api-green/2"
    arn_suffix = "targetgroup/api-green/2"
  }
}

override_resource {
  target          = aws_lb_listener.this["production"]
  override_during = plan
  values = {
    arn = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/api/1/443"
  }
}

override_resource {
  target          = aws_lb_listener.this["test"]
  override_during = plan
  values = {
    arn = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/api/1/8443"
  }
}

variables {
  name                            = "api"
  cluster_name                    = "main"
  task_definition_arn             = "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:task-definition/api:1"
  task_role_arns                  = ["arn:aws-us-gov:iam::123456789012:role/api-execution"]
  container_name                  = "app"
  container_port                  = 8080
  images                          = [{ repository = "team/api" }]
  vpc_id                          = "vpc-1"
  subnet_ids                      = ["subnet-1", "subnet-2"]
  load_balancer_arn               = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:loadbalancer/app/api/1"
  load_balancer_security_group_id = "sg-balancer"

  production_listener = {
    port            = 443
    certificate_arn = "arn:aws-us-gov:acm:us-gov-west-1:123456789012:certificate/1"
  }

  test_listener = {
    port            = 8443
    certificate_arn = "arn:aws-us-gov:acm:us-gov-west-1:123456789012:certificate/1"
  }
}

run "codedeploy_runs_the_deployments" {
  command = plan

  assert {
    condition     = aws_ecs_service.this.deployment_controller[0].type == "CODE_DEPLOY"
    error_message = "The service's deployment controller is another one."
  }

  assert {
    condition     = length(aws_ecs_service.this.deployment_circuit_breaker) == 0 && length(aws_ecs_service.this.alarms) == 0
    error_message = "ECS refuses circuit breaker and alarms beside CodeDeploy."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this[0].deployment_style[0] == { deployment_type = "BLUE_GREEN", deployment_option = "WITH_TRAFFIC_CONTROL" }
    error_message = "The group does not deploy blue/green."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this[0].deployment_config_name == "CodeDeployDefault.ECSCanary10Percent5Minutes"
    error_message = "Traffic does not move by canary."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this[0].blue_green_deployment_config[0].deployment_ready_option[0].action_on_timeout == "CONTINUE_DEPLOYMENT"
    error_message = "A deployment would wait for a person."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this[0].blue_green_deployment_config[0].terminate_blue_instances_on_deployment_success[0].termination_wait_time_in_minutes == 15
    error_message = "The old tasks are not kept for a quick way back."
  }
}

run "a_failure_an_alarm_and_a_stop_each_roll_back" {
  command = plan

  assert {
    condition     = aws_codedeploy_deployment_group.this[0].auto_rollback_configuration[0].enabled
    error_message = "Nothing is rolled back."
  }

  assert {
    condition = aws_codedeploy_deployment_group.this[0].auto_rollback_configuration[0].events == toset([
      "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST",
    ])
    error_message = "One of failure, alarm and stop does not roll back."
  }
}

run "every_alarm_stops_a_deployment_and_an_unreadable_one_as_well" {
  command = plan

  assert {
    condition = aws_codedeploy_deployment_group.this[0].alarm_configuration[0].alarms == toset([
      "api-blue-5xx", "api-blue-p95", "api-blue-unhealthy", "api-green-5xx", "api-green-p95", "api-green-unhealthy",
    ])
    error_message = "CodeDeploy does not watch every alarm of both target groups."
  }

  assert {
    condition = (
      aws_codedeploy_deployment_group.this[0].alarm_configuration[0].enabled
      && !aws_codedeploy_deployment_group.this[0].alarm_configuration[0].ignore_poll_alarm_failure
    )
    error_message = "An alarm that cannot be read would count as a green one."
  }
}

run "each_target_group_has_its_own_alarms" {
  command = plan

  assert {
    condition = jsonencode({
      for colour, alarm in aws_cloudwatch_metric_alarm.errors :
      colour => distinct(flatten([for query in alarm.metric_query : query.metric[*].dimensions]))
      }) == jsonencode({
      blue  = [{ LoadBalancer = "app/api/1", TargetGroup = "targetgroup/api-blue/1" }]
      green = [{ LoadBalancer = "app/api/1", TargetGroup = "targetgroup/api-green/2" }]
    })
    error_message = "The alarms for 5xx answers do not each look at one target group."
  }

  assert {
    condition = alltrue([
      for alarms in [aws_cloudwatch_metric_alarm.latency, aws_cloudwatch_metric_alarm.unhealthy] :
      jsonencode({ for colour, alarm in alarms : colour => alarm.dimensions }) == jsonencode({
        blue  = { LoadBalancer = "app/api/1", TargetGroup = "targetgroup/api-blue/1" }
        green = { LoadBalancer = "app/api/1", TargetGroup = "targetgroup/api-green/2" }
      })
    ])
    error_message = "The alarms for latency or unhealthy hosts do not each look at one target group."
  }
}

run "the_share_of_errors_is_0_where_the_load_balancer_reports_none" {
  command = plan

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.errors :
      [for query in alarm.metric_query : query.expression if query.return_data == true] == ["100 * FILL(errors, 0) / IF(FILL(requests, 0) > 0, FILL(requests, 0), 1)"]
    ])
    error_message = "The share of errors is missing, or divided by zero, in a quiet minute."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.errors :
      jsonencode({ for query in alarm.metric_query : query.id => query.metric[*].metric_name }) == jsonencode({
        rate = [], errors = ["HTTPCode_Target_5XX_Count"], requests = ["RequestCount"]
      })
    ])
    error_message = "The share of errors is not that of the targets' own 5xx answers."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.latency : alarm.extended_statistic == "p95" && alarm.evaluate_low_sample_count_percentiles == "evaluate"])
    error_message = "A canary's few requests would not be judged."
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.errors), values(aws_cloudwatch_metric_alarm.latency), values(aws_cloudwatch_metric_alarm.unhealthy)) :
      alarm.treat_missing_data == "notBreaching"
    ])
    error_message = "The idle target group, which reports nothing, would be red."
  }
}

run "a_database_is_watched_where_one_is_named" {
  command = plan

  variables {
    database = { cluster = "orders", connections = 80 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.connections[0].dimensions == tomap({ DBClusterIdentifier = "orders" }) && aws_cloudwatch_metric_alarm.connections[0].threshold == 80
    error_message = "The alarm is for another database."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.connections[0].treat_missing_data == "breaching"
    error_message = "A database that reports nothing would count as well."
  }

  assert {
    condition     = contains(aws_codedeploy_deployment_group.this[0].alarm_configuration[0].alarms, "api-database-connections") && contains(output.releases.api.alarms, "api-database-connections")
    error_message = "The database's alarm stops no deployment."
  }
}

run "production_and_test_traffic_come_through_listeners_of_their_own" {
  command = plan

  assert {
    condition     = { for route, listener in aws_lb_listener.this : route => [listener.port, listener.protocol] } == { production = [443, "HTTPS"], test = [8443, "HTTPS"] }
    error_message = "The listeners have other ports or protocols."
  }

  assert {
    condition     = alltrue([for listener in aws_lb_listener.this : listener.ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06"])
    error_message = "A listener takes TLS older than 1.2."
  }

  assert {
    condition = alltrue([
      for route, port in { prod_traffic_route = 443, test_traffic_route = 8443 } :
      aws_codedeploy_deployment_group.this[0].load_balancer_info[0].target_group_pair_info[0][route][0].listener_arns == toset(["arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/api/1/${port}"])
    ])
    error_message = "CodeDeploy does not shift the traffic of these listeners."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this[0].load_balancer_info[0].target_group_pair_info[0].target_group[*].name == tolist(["api-blue", "api-green"])
    error_message = "CodeDeploy does not shift traffic between blue and green."
  }
}

run "tasks_drain_and_only_the_load_balancer_reaches_them" {
  command = plan

  assert {
    condition     = alltrue([for group in aws_lb_target_group.this : group.deregistration_delay == "30" && group.target_type == "ip"])
    error_message = "Tasks that are taken out do not finish their requests."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.load_balancer.referenced_security_group_id == "sg-balancer" && aws_vpc_security_group_ingress_rule.load_balancer.from_port == 8080
    error_message = "Others than the load balancer reach the tasks."
  }
}

run "traffic_may_come_by_rules_of_a_shared_listener" {
  command = plan

  variables {
    production_listener = {
      listener_arn = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/shared/1/2"
      priority     = 10
      hosts        = ["api.example.com"]
    }
    test_listener = {
      listener_arn = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/shared/1/3"
      paths        = ["/api/*"]
    }
  }

  assert {
    condition     = length(aws_lb_listener.this) == 0 && aws_lb_listener_rule.this["production"].priority == 10
    error_message = "The service has listeners of its own, or no rule."
  }

  assert {
    condition = output.listener_arns == {
      production = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/shared/1/2"
      test       = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/shared/1/3"
    }
    error_message = "CodeDeploy does not shift the shared listeners' traffic."
  }
}

run "codedeploy_takes_its_role_for_this_group_alone" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.codedeploy[0].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnEquals    = { "aws:SourceArn" = "arn:aws-us-gov:codedeploy:us-gov-west-1:123456789012:deploymentgroup:api/api" }
      }
    }]
    error_message = "The role may be taken for something else than this group's deployments."
  }
}

run "codedeploy_passes_the_named_roles_and_calls_hooks_in_any_partition" {
  command = plan

  assert {
    condition     = aws_iam_role_policy_attachment.codedeploy[0].policy_arn == "arn:aws-us-gov:iam::aws:policy/AWSCodeDeployRoleForECSLimited"
    error_message = "CodeDeploy has other rights than AWS's limited policy, or those of another partition."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.codedeploy[0].policy).Statement == [
      {
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = ["arn:aws-us-gov:iam::123456789012:role/api-execution"]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:CodeDeployHook_*"
      },
    ]
    error_message = "CodeDeploy may pass other roles, or call other functions, than it needs to."
  }
}

run "the_entry_of_releases_yaml_names_what_was_made" {
  command = plan

  variables {
    images = [{ repository = "team/api" }, { repository = "team/proxy", container = "proxy", tags = "v[0-9]+" }]
    release = {
      watch  = "30m"
      checks = { "before-allow-traffic" = [{ smoke = { "base-url" = "https://api:8443", requests = [{ get = "/health" }] } }] }
    }
  }

  assert {
    condition = yamldecode(output.releases_yaml) == {
      services = {
        api = {
          cluster = "main"
          service = "api"
          images = [
            { repository = "team/api", container = "app", tags = "[0-9a-f]{40}" },
            { repository = "team/proxy", container = "proxy", tags = "v[0-9]+" },
          ]
          deploy = { codedeploy = { application = "api", group = "api" } }
          alarms = ["api-blue-5xx", "api-green-5xx", "api-blue-p95", "api-green-p95", "api-blue-unhealthy", "api-green-unhealthy"]
          watch  = "30m"
          checks = { "before-allow-traffic" = [{ smoke = { "base-url" = "https://api:8443", requests = [{ get = "/health" }] } }] }
        }
      }
    }
    error_message = "The entry does not say what was made."
  }

  assert {
    condition     = yamldecode(output.releases_yaml).services == output.releases
    error_message = "The two outputs differ."
  }
}
