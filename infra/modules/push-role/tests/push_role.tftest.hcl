# Trust and rights of a pipeline's role.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = {
      arn = "arn:aws:iam::123456789012:oidc-provider/ci.example.com"
    }
  }
}

variables {
  name                     = "push"
  issuer                   = "ci.example.com"
  audience                 = "sts.amazonaws.com"
  provider_arn             = null
  subjects                 = ["repo:acme/api:ref:refs/heads/main"]
  repository_arns          = ["arn:aws:ecr:eu-west-1:123456789012:repository/api"]
  permissions_boundary_arn = null
  tags                     = {}
}

run "the_trust_names_audience_and_full_subject" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/ci.example.com" }
      Condition = {
        StringEquals = {
          "ci.example.com:aud" = "sts.amazonaws.com"
          "ci.example.com:sub" = ["repo:acme/api:ref:refs/heads/main"]
        }
      }
    }]
    error_message = "The trust is not for this audience and subject alone."
  }

  assert {
    condition     = aws_iam_openid_connect_provider.this[0].url == "https://ci.example.com" && aws_iam_openid_connect_provider.this[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "The provider is for another issuer or audience."
  }
}

run "its_rights_are_to_push_to_these_repositories" {
  command = plan

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.push.policy).Statement : statement.Action if statement.Resource == "*"] == ["ecr:GetAuthorizationToken"]
    error_message = "Something else than GetAuthorizationToken is allowed on every resource."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.push.policy).Statement[1] == {
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
      ]
      Resource = ["arn:aws:ecr:eu-west-1:123456789012:repository/api"]
    }
    error_message = "The role may do something else than push to this repository."
  }
}

run "a_provider_that_is_there_is_used" {
  command = plan

  variables {
    provider_arn = "arn:aws:iam::123456789012:oidc-provider/already-there"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0
    error_message = "A second provider would be made."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal.Federated == "arn:aws:iam::123456789012:oidc-provider/already-there"
    error_message = "The role does not trust the given provider."
  }
}

run "a_repository_with_a_wildcard_is_refused" {
  command = plan

  variables {
    repository_arns = ["arn:aws:ecr:eu-west-1:123456789012:repository/*"]
  }

  expect_failures = [var.repository_arns]
}
