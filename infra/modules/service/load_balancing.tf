# Target groups and listeners. CodeDeploy moves the listeners between the target groups.

locals {
  # A rolling deployment replaces the tasks behind one target group.
  colours = toset(local.code_deploy ? ["blue", "green"] : ["blue"])

  listeners = merge(
    { production = var.production_listener },
    var.test_listener == null ? {} : { test = var.test_listener },
  )
  own_listeners = { for route, listener in local.listeners : route => listener if listener.port != null }
  shared        = { for route, listener in local.listeners : route => listener if listener.port == null }
  listener_arns = merge(
    { for route, listener in aws_lb_listener.this : route => listener.arn },
    { for route, listener in local.shared : route => listener.listener_arn },
  )
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; only it reaches the tasks, within the VPC.
  for_each = local.colours

  name                 = "${var.name}-${each.key}"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.container_port
  deregistration_delay = var.deregistration_delay_seconds
  tags                 = var.tags

  health_check {
    path                = var.health_check.path
    matcher             = var.health_check.matcher
    interval            = var.health_check.interval
    timeout             = var.health_check.timeout
    healthy_threshold   = var.health_check.healthy_threshold
    unhealthy_threshold = var.health_check.unhealthy_threshold
  }
}

resource "aws_lb_listener" "this" {
  #checkov:skip=CKV_AWS_103:The policy is TLS 1.2 and 1.3 unless the caller names another; plain HTTP has none.
  for_each = local.own_listeners

  load_balancer_arn = var.load_balancer_arn
  port              = each.value.port
  protocol          = each.value.certificate_arn == null ? "HTTP" : "HTTPS"
  certificate_arn   = each.value.certificate_arn
  ssl_policy        = each.value.certificate_arn == null ? null : each.value.ssl_policy
  tags              = var.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["blue"].arn
  }

  lifecycle {
    # CodeDeploy's, from the first deployment on.
    ignore_changes = [default_action]
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each = local.shared

  listener_arn = each.value.listener_arn
  priority     = each.value.priority
  tags         = var.tags

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["blue"].arn
  }

  dynamic "condition" {
    for_each = length(each.value.hosts) > 0 ? [each.value.hosts] : []

    content {
      host_header {
        values = condition.value
      }
    }
  }

  dynamic "condition" {
    for_each = length(each.value.paths) > 0 ? [each.value.paths] : []

    content {
      path_pattern {
        values = condition.value
      }
    }
  }

  lifecycle {
    # CodeDeploy's, from the first deployment on.
    ignore_changes = [action]
  }
}
