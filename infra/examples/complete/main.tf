# A small account from nothing: registry, pipeline's role, and the application in staging and
# production, released by Sluice. Staging takes every commit's image. Production takes those
# that somebody promoted: the same image under one more tag.

locals {
  environments = {
    staging = {
      tags    = "[0-9a-f]{40}"
      release = { gates = { scan = { block = ["CRITICAL"], wait = "10m" } } }
    }
    production = {
      tags    = "production-[0-9a-f]{40}"
      release = { gates = { scan = { block = ["CRITICAL", "HIGH"], wait = "10m" } }, watch = "30m" }
    }
  }
}

module "registry" {
  source = "../../modules/registry"

  name = var.name
}

module "github_oidc" {
  source = "../../modules/github-oidc"

  role_name       = "${var.name}-push"
  provider_arn    = var.github_provider_arn
  repository_arns = [module.registry.arn]
  subjects = [
    "repo:${var.github_repository}:ref:refs/heads/main",
    "repo:${var.github_repository}:environment:production",
  ]
}

module "environment" {
  source   = "./environment"
  for_each = { for name, environment in local.environments : name => environment if var.first_image != null }

  name             = "${var.name}-${each.key}"
  repository       = { name = module.registry.name, url = module.registry.url }
  first_image      = var.first_image
  image_tags       = each.value.tags
  release          = each.value.release
  container_port   = var.container_port
  cpu_architecture = var.cpu_architecture
  https            = var.https == null ? null : { certificate_arn = var.https.certificate_arn, host = var.https.hosts[each.key] }

  vpc_id                 = aws_vpc.this.id
  public_subnet_ids      = aws_subnet.public[*].id
  private_subnet_ids     = aws_subnet.private[*].id
  nat_address            = aws_eip.nat.public_ip
  hook_security_group_id = aws_security_group.hook.id

  # Tasks that start before the way out is there cannot pull their image.
  depends_on = [aws_route.nat, aws_route_table_association.private]
}
