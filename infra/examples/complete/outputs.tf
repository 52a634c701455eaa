output "releases_yaml" {
  description = "releases.yaml with all services; null as long as there are none."
  value = length(module.environment) == 0 ? null : yamlencode({
    services = merge([for environment in module.environment : environment.releases]...)
  })
}

output "repository_url" {
  description = "What the pipeline pushes to: its variable ECR_REPOSITORY."
  value       = module.registry.url
}

output "push_role_arn" {
  description = "What the pipeline takes: its variable AWS_ROLE_ARN."
  value       = module.github_oidc.role_arn
}

output "urls" {
  description = "Where each environment answers."
  value       = { for name, environment in module.environment : name => environment.url }
}

output "task_role_arns" {
  description = "Roles that Sluice's own template must be allowed to pass."
  value       = flatten([for environment in module.environment : environment.task_role_arns])
}

output "hook_network" {
  description = "Subnets and security group for lifecycle-hook: from there it reaches tasks and test listeners."
  value       = { subnet_ids = aws_subnet.private[*].id, security_group_ids = [aws_security_group.hook.id] }
}
