locals {
  entry = merge(
    {
      cluster = var.cluster_name
      service = aws_ecs_service.this.name
      images = [
        for image in var.images : {
          repository = image.repository
          container  = coalesce(image.container, var.container_name)
          tags       = image.tags
        }
      ]
      # Both kinds are written here, and the service's is kept.
      deploy = {
        for engine, value in {
          codedeploy = { application = var.name, group = var.name }
          ecs        = {}
        } : engine => value if engine == (local.code_deploy ? "codedeploy" : "ecs")
      }
      alarms = local.alarm_names
    },
    var.release,
  )
}

output "releases" {
  description = "The service's entry in releases.yaml, under its name: merge those of all services, and write them as YAML."
  value       = { (var.name) = local.entry }
}

output "releases_yaml" {
  description = "A whole releases.yaml with this service alone."
  value       = yamlencode({ services = { (var.name) = local.entry } })
}

output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "service_arn" {
  description = "ARN of the ECS service."
  value       = aws_ecs_service.this.id
}

output "codedeploy" {
  description = "CodeDeploy application, deployment group and service role; null with the ECS controller."
  value = local.code_deploy ? {
    application = aws_codedeploy_app.this[0].name
    group       = aws_codedeploy_deployment_group.this[0].deployment_group_name
    role_arn    = aws_iam_role.codedeploy[0].arn
  } : null
}

output "target_groups" {
  description = "ARNs of the target groups, by colour."
  value       = { for colour, group in aws_lb_target_group.this : colour => group.arn }
}

output "listener_arns" {
  description = "ARNs of the listeners that traffic comes through: production, and with CODE_DEPLOY test."
  value       = local.listener_arns
}

output "alarm_names" {
  description = "Names of the alarms that stop a deployment."
  value       = local.alarm_names
}

output "security_group_id" {
  description = "The tasks' security group: let it reach the database, and let the hook function reach the tasks."
  value       = aws_security_group.tasks.id
}
