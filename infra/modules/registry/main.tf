# An ECR repository whose images are there when a rollback needs them.

resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE" # a tag is a commit: it never names another image
  force_delete         = false
  tags                 = var.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }
}

# Nothing that has a tag ever expires. A rollback target is as old as its service is calm, and
# any number of images may have been pushed since, so neither an age nor a count tells whether
# one is still needed. What is released has a tag, and keeps it: tags are immutable here.
#
# Untagged are what a broken push left behind, and the images of single platforms behind a
# multi-platform tag. ECR does not expire an image to which a manifest list still refers.
resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Remains of pushes: untagged for ${var.untagged_days} days"
      selection = {
        tagStatus   = "untagged"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = var.untagged_days
      }
      action = { type = "expire" }
    }]
  })
}
