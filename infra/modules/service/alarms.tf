# Alarms, for each target group its own. One for the whole load balancer never fires for a
# canary that fails half of a tenth of the traffic: that reads as exactly 5%.
#
# The load balancer reports nothing of a target group without traffic or targets, and that is
# the idle one's normal state: missing data does not fire. Sluice's checks and the load
# balancer's health checks are what tells that new tasks work at all.

locals {
  # arn:…:loadbalancer/app/<name>/<id>, of which CloudWatch wants the end.
  load_balancer = split(":loadbalancer/", var.load_balancer_arn)[1]
  dimensions = {
    for colour, group in aws_lb_target_group.this : colour => {
      LoadBalancer = local.load_balancer
      TargetGroup  = group.arn_suffix
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.colours

  alarm_name          = "${var.name}-${each.key}-5xx"
  alarm_description   = "More than ${var.alarms.error_percent}% of the answers of ${var.name} (${each.key}) are 5xx."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.error_percent
  evaluation_periods  = var.alarms.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags

  # In a minute without errors, or without requests, that metric is missing, not 0.
  metric_query {
    id          = "rate"
    label       = "5xx answers, percent"
    expression  = "100 * FILL(errors, 0) / IF(FILL(requests, 0) > 0, FILL(requests, 0), 1)"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = local.dimensions[each.key]
      stat        = "Sum"
      period      = 60
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = local.dimensions[each.key]
      stat        = "Sum"
      period      = 60
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  for_each = local.colours

  alarm_name          = "${var.name}-${each.key}-p95"
  alarm_description   = "One in twenty answers of ${var.name} (${each.key}) takes more than ${var.alarms.p95_seconds} s."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = local.dimensions[each.key]
  extended_statistic  = "p95"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.p95_seconds
  evaluation_periods  = var.alarms.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags

  # A canary has few requests, and is to be judged by them all the same.
  evaluate_low_sample_count_percentiles = "evaluate"
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each = local.colours

  alarm_name          = "${var.name}-${each.key}-unhealthy"
  alarm_description   = "A task of ${var.name} (${each.key}) fails its health check."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = local.dimensions[each.key]
  statistic           = "Maximum"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = var.alarms.unhealthy_minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "connections" {
  count = var.database == null ? 0 : 1

  alarm_name          = "${var.name}-database-connections"
  alarm_description   = "The database of ${var.name} has more than ${var.database.connections} connections."
  namespace           = "AWS/RDS"
  metric_name         = "DatabaseConnections"
  statistic           = "Maximum"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.database.connections
  evaluation_periods  = var.alarms.minutes
  # A database that runs reports every minute.
  treat_missing_data = "breaching"
  alarm_actions      = var.alarm_actions
  ok_actions         = var.alarm_actions
  tags               = var.tags

  dimensions = {
    for name, value in {
      DBInstanceIdentifier = var.database.instance
      DBClusterIdentifier  = var.database.cluster
    } : name => value if value != null
  }
}
