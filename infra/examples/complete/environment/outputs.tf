output "releases" {
  description = "The service's entry in releases.yaml."
  value       = module.service.releases
}

output "url" {
  description = "Where production traffic comes in."
  value       = local.secure ? "https://${var.https.host}" : "http://${aws_lb.this.dns_name}"
}

output "task_role_arns" {
  description = "Roles of the task definition."
  value       = [aws_iam_role.execution.arn]
}
