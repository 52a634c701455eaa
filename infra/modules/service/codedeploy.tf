# CodeDeploy: application, deployment group, and the role that it shifts traffic with.

resource "aws_codedeploy_app" "this" {
  count = local.code_deploy ? 1 : 0

  name             = var.name
  compute_platform = "ECS"
  tags             = var.tags
}

resource "aws_codedeploy_deployment_group" "this" {
  count = local.code_deploy ? 1 : 0

  app_name               = aws_codedeploy_app.this[0].name
  deployment_group_name  = var.name
  deployment_config_name = var.deployment_config_name
  service_role_arn       = aws_iam_role.codedeploy[0].arn
  tags                   = var.tags

  deployment_style {
    deployment_type   = "BLUE_GREEN"
    deployment_option = "WITH_TRAFFIC_CONTROL"
  }

  ecs_service {
    cluster_name = var.cluster_name
    service_name = aws_ecs_service.this.name
  }

  load_balancer_info {
    target_group_pair_info {
      prod_traffic_route {
        listener_arns = [local.listener_arns["production"]]
      }

      test_traffic_route {
        listener_arns = [local.listener_arns["test"]]
      }

      dynamic "target_group" {
        for_each = ["blue", "green"]

        content {
          name = aws_lb_target_group.this[target_group.value].name
        }
      }
    }
  }

  blue_green_deployment_config {
    # Checks decide whether traffic moves, not a person at a button.
    deployment_ready_option {
      action_on_timeout = "CONTINUE_DEPLOYMENT"
    }

    terminate_blue_instances_on_deployment_success {
      action                           = "TERMINATE"
      termination_wait_time_in_minutes = var.termination_wait_minutes
    }
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }

  alarm_configuration {
    enabled = true
    alarms  = local.alarm_names
    # An alarm that cannot be read is no green one.
    ignore_poll_alarm_failure = false
  }

  # Without them the first deployment would fail.
  depends_on = [aws_iam_role_policy.codedeploy, aws_iam_role_policy_attachment.codedeploy]
}

# As CodeDeploy is called in this region and partition.
data "aws_service_principal" "codedeploy" {
  service_name = "codedeploy"
}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
}

resource "aws_iam_role" "codedeploy" {
  count = local.code_deploy ? 1 : 0

  name        = "${var.name}-codedeploy-${data.aws_region.current.name}"
  description = "Deployments of the ECS service ${var.name}"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = data.aws_service_principal.codedeploy.name }
      # Deployments of this group alone, not of whoever else CodeDeploy works for.
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals = {
          "aws:SourceArn" = "arn:${local.partition}:codedeploy:${data.aws_region.current.name}:${local.account}:deploymentgroup:${var.name}/${var.name}"
        }
      }
    }]
  })
}

# The limited one: AWSCodeDeployRoleForECS may invoke every function, read every object and
# pass every role of the account.
resource "aws_iam_role_policy_attachment" "codedeploy" {
  count = local.code_deploy ? 1 : 0

  role       = aws_iam_role.codedeploy[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AWSCodeDeployRoleForECSLimited"
}

# What the limited policy lacks, or has for roles of certain names and the partition aws only.
resource "aws_iam_role_policy" "codedeploy" {
  count = local.code_deploy ? 1 : 0

  name = "pass-roles-and-call-hooks"
  role = aws_iam_role.codedeploy[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = var.task_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = "arn:${local.partition}:lambda:${data.aws_region.current.name}:${local.account}:function:CodeDeployHook_*"
      },
    ]
  })
}
