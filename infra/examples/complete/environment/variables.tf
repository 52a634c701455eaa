variable "name" {
  description = "Name of cluster, load balancer and service."
  type        = string
}

variable "repository" {
  description = "The ECR repository that images come from: name, and URL without a tag."
  type        = object({ name = string, url = string })
}

variable "first_image" {
  description = "Tag of the image that the service is created with."
  type        = string
}

variable "image_tags" {
  description = "Regular expression for the tags that are released here."
  type        = string
}

variable "release" {
  description = "Watch and gates of the entry in releases.yaml."
  type        = any
}

variable "container_port" {
  description = "The port on which the application answers."
  type        = number
}

variable "cpu_architecture" {
  description = "X86_64 or ARM64."
  type        = string
}

variable "https" {
  description = "Certificate and host; plain HTTP if null."
  type        = object({ certificate_arn = string, host = string })
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "nat_address" {
  description = "The public address that smoke checks come from."
  type        = string
}

variable "hook_security_group_id" {
  description = "Security group of lifecycle-hook, which may reach the tasks."
  type        = string
}
