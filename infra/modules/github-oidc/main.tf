# What a GitHub Actions workflow takes to push images, without a key.

module "role" {
  source = "../push-role"

  name                     = var.role_name
  issuer                   = "token.actions.githubusercontent.com"
  audience                 = "sts.amazonaws.com"
  provider_arn             = var.provider_arn
  subjects                 = var.subjects
  repository_arns          = var.repository_arns
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}
