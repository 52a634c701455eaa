variable "role_name" {
  description = "Name of the role."
  type        = string
  default     = "gitlab-push"
}

variable "gitlab_host" {
  description = "Host of the GitLab instance, which AWS must be able to reach. The pipeline's id_tokens have https:// and this as their audience."
  type        = string
  default     = "gitlab.com"

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?$", var.gitlab_host))
    error_message = "Write the host alone, without https://."
  }
}

variable "subjects" {
  description = "Full subjects of the jobs' tokens, such as project_path:acme/api:ref_type:branch:ref:main."
  type        = set(string)

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : !can(regex("[*?$]", subject))])
    error_message = "Name each subject in full. A wildcard would let every branch push, or every project."
  }

  validation {
    condition     = alltrue([for subject in var.subjects : can(regex("^project_path:[^:]+/[^:]+:ref_type:(branch|tag):ref:.+$", subject))])
    error_message = "A subject is project_path:<group>/<project>:ref_type:<branch or tag>:ref:<name>."
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
