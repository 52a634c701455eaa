output "role_arn" {
  description = "ARN of the role that the pipeline takes."
  value       = module.role.role_arn
}

output "provider_arn" {
  description = "ARN of the OIDC provider, for further roles in this account."
  value       = module.role.provider_arn
}
