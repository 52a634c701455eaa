variable "name" {
  description = "Name of the role."
  type        = string
}

variable "issuer" {
  description = "Host, and path if it has one, of the OIDC issuer."
  type        = string
}

variable "provider_arn" {
  description = "The account's OIDC provider for this issuer; made if null."
  type        = string
}

variable "audience" {
  description = "The audience that the pipeline's tokens are for."
  type        = string
}

variable "subjects" {
  description = "Full subjects of the tokens that may take the role."
  type        = set(string)
}

variable "repository_arns" {
  description = "ECR repositories that the role may push to."
  type        = list(string)

  validation {
    condition     = length(var.repository_arns) > 0 && alltrue([for arn in var.repository_arns : !can(regex("[*?]", arn))])
    error_message = "Name at least one repository by its full ARN, without * or ?."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role, if the account wants one."
  type        = string
}

variable "tags" {
  description = "Tags of role and provider."
  type        = map(string)
}
