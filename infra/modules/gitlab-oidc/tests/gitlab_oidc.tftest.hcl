# Which subjects may take the role, and which are refused.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = {
      arn = "arn:aws:iam::123456789012:oidc-provider/gitlab.com"
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
    "project_path:acme/api:ref_type:branch:ref:main",
    "project_path:acme/team/api:ref_type:tag:ref:v1.2.3",
  ]
  repository_arns = ["arn:aws:ecr:eu-west-1:123456789012:repository/api"]
}

run "full_subjects_are_taken" {
  command = plan

  assert {
    condition     = output.role_arn == "arn:aws:iam::123456789012:role/push" && output.provider_arn == "arn:aws:iam::123456789012:oidc-provider/gitlab.com"
    error_message = "The role or its provider is another one."
  }
}

run "a_wildcard_for_branches_is_refused" {
  command = plan

  variables {
    subjects = ["project_path:acme/api:ref_type:branch:ref:*"]
  }

  expect_failures = [var.subjects]
}

run "a_wildcard_for_projects_is_refused" {
  command = plan

  variables {
    subjects = ["project_path:acme/*:ref_type:branch:ref:main"]
  }

  expect_failures = [var.subjects]
}

run "a_question_mark_is_refused" {
  command = plan

  variables {
    subjects = ["project_path:acme/ap?:ref_type:branch:ref:main"]
  }

  expect_failures = [var.subjects]
}

run "a_policy_variable_is_refused" {
  command = plan

  variables {
    subjects = ["project_path:acme/api:ref_type:branch:ref:$${aws:username}"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_without_a_branch_is_refused" {
  command = plan

  variables {
    subjects = ["project_path:acme/api"]
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

run "a_host_with_a_scheme_is_refused" {
  command = plan

  variables {
    gitlab_host = "https://gitlab.com"
  }

  expect_failures = [var.gitlab_host]
}
