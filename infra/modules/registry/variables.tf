variable "name" {
  description = "The repository's name, such as team/api."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 256
    error_message = "A repository's name takes 2 to 256 lower-case letters and digits, with . _ - / between them."
  }
}

variable "untagged_days" {
  description = "Days after which images without a tag expire. Those with a tag never do."
  type        = number
  default     = 30

  validation {
    condition     = var.untagged_days >= 7 && floor(var.untagged_days) == var.untagged_days
    error_message = "Keep untagged images for a week at least: a push of several platforms has them before its tag."
  }
}

variable "kms_key_arn" {
  description = "The KMS key that encrypts the images; the account's aws/ecr if not given."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the repository."
  type        = map(string)
  default     = {}
}
