# Which subjects may take the role, and which are refused.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = {
      arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/push"
    }
  }
}

variables {
  subjects = [
    "repo:acme/api:ref:refs/heads/main",
    "repo:acme/api:environment:production",
    "repo:acme@123/api@456:ref:refs/tags/v1.2.3",
  ]
  repository_arns = ["arn:aws:ecr:eu-west-1:123456789012:repository/api"]
}

run "full_subjects_are_taken" {
  command = plan

  assert {
    condition     = output.role_arn == "arn:aws:iam::123456789012:role/push" && output.provider_arn == "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    error_message = "The role or its provider is another one."
  }
}

run "a_wildcard_for_branches_is_refused" {
  command = plan

  variables {
    subjects = ["repo:acme/api:ref:refs/heads/*"]
  }

  expect_failures = [var.subjects]
}

run "a_wildcard_for_repositories_is_refused" {
  command = plan

  variables {
    subjects = ["repo:acme/*:ref:refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "a_question_mark_is_refused" {
  command = plan

  variables {
    subjects = ["repo:acme/ap?:ref:refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "a_policy_variable_is_refused" {
  command = plan

  variables {
    subjects = ["repo:acme/api:ref:refs/heads/$${aws:username}"]
  }

  expect_failures = [var.subjects]
}

run "a_wildcard_among_full_subjects_is_refused" {
  command = plan

  variables {
    subjects = ["repo:acme/api:ref:refs/heads/main", "repo:acme/api:*"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_without_a_branch_is_refused" {
  command = plan

  variables {
    subjects = ["repo:acme/api"]
  }

  expect_failures = [var.subjects]
}

run "a_pull_request_is_refused" {
  command = plan

  variables {
    subjects = ["repo:acme/api:pull_request"]
  }

  expect_failures = [var.subjects]
}

run "no_subject_at_all_is_refused" {
  command = plan

  variables {
    subjects = []
  }

  expect_failures = [var.subjects]
}
