variable "role_name" {
  description = "Name of the role."
  type        = string
  default     = "github-actions-push"
}

variable "subjects" {
  description = "Full subjects of the workflows' tokens, such as repo:acme/api:ref:refs/heads/main or repo:acme/api:environment:production. Repositories made since the middle of 2026 have ids in theirs: repo:acme@123/api@456:ref:refs/heads/main."
  type        = set(string)

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : !can(regex("[*?$]", subject))])
    error_message = "Name each subject in full. A wildcard would let every branch push, or every repository."
  }

  validation {
    condition     = alltrue([for subject in var.subjects : can(regex("^repo:[^/:]+/[^/:]+:(ref:refs/(heads|tags)/.+|environment:.+)$", subject))])
    error_message = "A subject is repo:<owner>/<name>: and then ref:refs/heads/<branch>, ref:refs/tags/<tag> or environment:<name>. Pull requests do not push."
  }
}

variable "repository_arns" {
  description = "ECR repositories that the pipeline may push to; nothing else is allowed."
  type        = list(string)
}

variable "provider_arn" {
  description = "The account's OIDC provider for this issuer, of which there can be one only; made if not given."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role, if the account wants one."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of role and provider."
  type        = map(string)
  default     = {}
}
