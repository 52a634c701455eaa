# The ECS service. What Sluice and CodeDeploy change with every release is theirs.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  code_deploy = var.deployment_controller == "CODE_DEPLOY"
  alarm_names = concat(
    [for alarm in aws_cloudwatch_metric_alarm.errors : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.latency : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.unhealthy : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.connections : alarm.alarm_name],
  )
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster_name
  task_definition = var.task_definition_arn
  desired_count   = var.desired_count
  launch_type     = "FARGATE"

  health_check_grace_period_seconds = var.health_check_grace_period_seconds

  deployment_controller {
    type = var.deployment_controller
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = concat([aws_security_group.tasks.id], var.security_group_ids)
    assign_public_ip = var.assign_public_ip
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this["blue"].arn
    container_name   = var.container_name
    container_port   = var.container_port
  }

  # CodeDeploy has its own rollback and alarms, and ECS refuses these beside it.
  dynamic "deployment_circuit_breaker" {
    for_each = local.code_deploy ? [] : ["ECS"]

    content {
      enable   = true
      rollback = true
    }
  }

  dynamic "alarms" {
    for_each = local.code_deploy ? [] : ["ECS"]

    content {
      enable      = true
      rollback    = true
      alarm_names = local.alarm_names
    }
  }

  tags = var.tags

  lifecycle {
    ignore_changes = [
      # Each release is a revision of its own, and after each CodeDeploy deployment the other
      # target group serves. Scaling decides how many tasks there are.
      task_definition,
      load_balancer,
      desired_count,
      # A person's hold, and the time since which the sweep looks at this service. Terraform
      # would take the hold away.
      tags["sluice:hold"],
      tags_all["sluice:hold"],
      tags["sluice:baseline"],
      tags_all["sluice:baseline"],
    ]
  }

  # ECS refuses a target group that no listener forwards to.
  depends_on = [aws_lb_listener.this, aws_lb_listener_rule.this]
}

resource "aws_security_group" "tasks" {
  name        = "${var.name}-tasks"
  description = "Tasks of the service ${var.name}"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "Requests from the load balancer"
  referenced_security_group_id = var.load_balancer_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.container_port
  to_port                      = var.container_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.tasks.id
  description       = "Registry, logs, secrets, and whatever the service talks to"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  tags              = var.tags
}
