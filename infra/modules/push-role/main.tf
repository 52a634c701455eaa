# The role of a pipeline: who it is, an OIDC provider says; what it may do is push to named
# repositories. github-oidc and gitlab-oidc are this with their own subjects.

locals {
  provider_arn = var.provider_arn == null ? aws_iam_openid_connect_provider.this[0].arn : var.provider_arn
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.provider_arn == null ? 1 : 0

  url            = "https://${var.issuer}"
  client_id_list = [var.audience]
  tags           = var.tags
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Pushes images for ${join(", ", sort(var.subjects))}"
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.provider_arn }
      # Equal, never like: another branch, repository or fork has another subject.
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = var.audience
          "${var.issuer}:sub" = sort(var.subjects)
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "push" {
  name = "push"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
      {
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage", # whether this commit's image is there already, and its promotion
          "ecr:CompleteLayerUpload",
          "ecr:InitiateLayerUpload",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = var.repository_arns
      },
    ]
  })
}
