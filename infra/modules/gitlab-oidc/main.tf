# What a GitLab pipeline takes to push images, without a key.

module "role" {
  source = "../push-role"

  name                     = var.role_name
  issuer                   = var.gitlab_host
  audience                 = "https://${var.gitlab_host}"
  provider_arn             = var.provider_arn
  subjects                 = var.subjects
  repository_arns          = var.repository_arns
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}
