# The repository as planned, without AWS.

mock_provider "aws" {
  override_during = plan
}

variables {
  name = "team/api"
}

run "tags_are_immutable_and_images_scanned_and_encrypted" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "A tag could be moved to another image."
  }

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "Images are not scanned on push."
  }

  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS"
    error_message = "Images are not encrypted with KMS."
  }

  assert {
    condition     = !aws_ecr_repository.this.force_delete
    error_message = "Terraform would delete a repository with images in it."
  }
}

run "no_rule_can_expire_an_image_that_has_a_tag" {
  command = plan

  assert {
    condition     = alltrue([for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.tagStatus == "untagged"])
    error_message = "A lifecycle rule takes tagged images, and so rollback targets."
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection.countNumber == 30
    error_message = "Untagged images are not kept for 30 days."
  }

  assert {
    condition     = output.name == "team/api"
    error_message = "The repository is not called as releases.yaml will call it."
  }
}

run "untagged_images_are_kept_while_a_push_may_last" {
  command = plan

  variables {
    untagged_days = 1
  }

  expect_failures = [var.untagged_days]
}

run "a_name_that_ecr_refuses_is_refused_at_once" {
  command = plan

  variables {
    name = "Team/API"
  }

  expect_failures = [var.name]
}
