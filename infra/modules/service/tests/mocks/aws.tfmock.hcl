# What AWS would tell: an account in a partition that is not the usual one.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws-us-gov" }
}

mock_data "aws_region" {
  defaults = { name = "us-gov-west-1" }
}

mock_data "aws_service_principal" {
  defaults = { name = "codedeploy.amazonaws.com" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws-us-gov:iam::123456789012:role/codedeploy" }
}

mock_resource "aws_security_group" {
  defaults = { id = "sg-tasks" }
}

mock_resource "aws_lb_target_group" {
  defaults = {
    arn        = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:targetgroup/api/1"
    arn_suffix = "targetgroup/api/1"
  }
}
