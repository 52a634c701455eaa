# What is refused before anything is planned.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
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

run "a_name_too_long_for_a_target_group_is_refused" {
  command = plan

  variables {
    name = "a-name-of-twenty-seven-char"
  }

  expect_failures = [var.name]
}

run "a_network_load_balancer_is_refused" {
  command = plan

  variables {
    load_balancer_arn = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:loadbalancer/net/api/1"
  }

  expect_failures = [var.load_balancer_arn]
}

run "codedeploy_without_a_test_listener_is_refused" {
  command = plan

  variables {
    test_listener = null
  }

  expect_failures = [var.test_listener]
}

run "codedeploy_without_roles_to_pass_is_refused" {
  command = plan

  variables {
    task_role_arns = []
  }

  expect_failures = [var.task_role_arns]
}

run "a_role_with_a_wildcard_is_refused" {
  command = plan

  variables {
    task_role_arns = ["arn:aws-us-gov:iam::123456789012:role/*"]
  }

  expect_failures = [var.task_role_arns]
}

run "a_listener_that_is_both_own_and_shared_is_refused" {
  command = plan

  variables {
    production_listener = { port = 443, listener_arn = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/shared/1/2" }
  }

  expect_failures = [var.production_listener]
}

run "a_rule_that_takes_every_request_is_refused" {
  command = plan

  variables {
    test_listener = { listener_arn = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:listener/app/shared/1/2" }
  }

  expect_failures = [var.test_listener]
}

run "a_repository_with_its_registry_is_refused" {
  command = plan

  variables {
    images = [{ repository = "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/api" }]
  }

  expect_failures = [var.images]
}

run "keys_that_the_module_writes_itself_are_refused" {
  command = plan

  variables {
    release = { alarms = [] }
  }

  expect_failures = [var.release]
}

run "tags_of_sluice_are_refused" {
  command = plan

  variables {
    tags = { "sluice:hold" = "until=2030-01-01T00:00:00Z" }
  }

  expect_failures = [var.tags]
}
