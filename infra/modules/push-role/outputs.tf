output "role_arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn
}

output "provider_arn" {
  description = "ARN of the OIDC provider."
  value       = local.provider_arn
}
