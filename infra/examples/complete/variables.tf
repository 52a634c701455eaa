variable "name" {
  description = "The application's name, which everything here begins with."
  type        = string
  default     = "api"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,13}[a-z0-9]$", var.name))
    error_message = "The name takes 2 to 15 lower-case letters, digits and hyphens: '-production' is added to it."
  }
}

variable "github_repository" {
  description = "The application's repository on GitHub as its tokens name it: acme/api, or acme@123/api@456 if it was made since the middle of 2026."
  type        = string
}

variable "github_provider_arn" {
  description = "The account's OIDC provider for GitHub Actions; made if not given."
  type        = string
  default     = null
}

variable "first_image" {
  description = "Tag of the first image, which the services are created with. Not given, there are no services yet: the pipeline pushes the image first."
  type        = string
  default     = null
}

variable "container_port" {
  description = "The port on which the application answers."
  type        = number
  default     = 8080
}

variable "cpu_architecture" {
  description = "What the image is built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"
}

variable "https" {
  description = "A certificate in ACM, and the host under which it is known in each environment; plain HTTP if not given."
  type = object({
    certificate_arn = string
    hosts           = object({ staging = string, production = string })
  })
  default = null
}

variable "cidr_block" {
  description = "Addresses of the VPC, a /16."
  type        = string
  default     = "10.0.0.0/16"
}
