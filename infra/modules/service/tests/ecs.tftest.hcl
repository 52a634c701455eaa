# A service that ECS itself rolls, as planned without AWS.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name                            = "worker"
  deployment_controller           = "ECS"
  cluster_name                    = "main"
  task_definition_arn             = "arn:aws:ecs:eu-west-1:123456789012:task-definition/worker:1"
  container_name                  = "app"
  container_port                  = 8080
  images                          = [{ repository = "worker" }]
  vpc_id                          = "vpc-1"
  subnet_ids                      = ["subnet-1", "subnet-2"]
  load_balancer_arn               = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/worker/1"
  load_balancer_security_group_id = "sg-balancer"
  production_listener             = { port = 80 }
}

run "ecs_rolls_back_by_circuit_breaker_and_alarms" {
  command = plan

  assert {
    condition     = aws_ecs_service.this.deployment_controller[0].type == "ECS"
    error_message = "The service's deployment controller is another one."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0] == { enable = true, rollback = true }
    error_message = "The circuit breaker does not roll back."
  }

  assert {
    condition = aws_ecs_service.this.alarms[0] == {
      enable      = true
      rollback    = true
      alarm_names = toset(["worker-blue-5xx", "worker-blue-p95", "worker-blue-unhealthy"])
    }
    error_message = "Alarms do not roll back."
  }
}

run "nothing_of_codedeploy_is_made" {
  command = plan

  assert {
    condition     = length(aws_codedeploy_app.this) + length(aws_codedeploy_deployment_group.this) + length(aws_iam_role.codedeploy) == 0
    error_message = "There is something of CodeDeploy."
  }

  assert {
    condition     = keys(aws_lb_target_group.this) == ["blue"] && keys(aws_lb_listener.this) == ["production"]
    error_message = "There is a target group or a listener that nothing uses."
  }

  assert {
    condition     = output.codedeploy == null
    error_message = "The output names something of CodeDeploy."
  }
}

run "the_entry_of_releases_yaml_says_that_ecs_deploys" {
  command = plan

  assert {
    condition     = yamldecode(output.releases_yaml).services.worker.deploy == { ecs = {} }
    error_message = "The entry names another engine."
  }
}

run "checks_that_would_never_run_are_refused" {
  command = plan

  variables {
    release = { checks = { "after-install" = [] } }
  }

  expect_failures = [var.release]
}

run "a_test_listener_is_refused" {
  command = plan

  variables {
    test_listener = { port = 8080 }
  }

  expect_failures = [var.test_listener]
}

run "another_controller_is_refused" {
  command = plan

  variables {
    deployment_controller = "EXTERNAL"
    test_listener         = null
  }

  expect_failures = [var.deployment_controller]
}
