terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Region and credentials come from the environment.
provider "aws" {
  # Sluice keeps its records as tags on revisions and services. Terraform would take them off
  # again from whatever it made itself.
  ignore_tags {
    key_prefixes = ["sluice:"]
  }
}
