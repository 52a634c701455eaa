output "name" {
  description = "The repository's name, as releases.yaml writes it."
  value       = aws_ecr_repository.this.name
}

output "arn" {
  description = "ARN of the repository, for the role that may push to it."
  value       = aws_ecr_repository.this.arn
}

output "url" {
  description = "What images are pushed to, without a tag."
  value       = aws_ecr_repository.this.repository_url
}
