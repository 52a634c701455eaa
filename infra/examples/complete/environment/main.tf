# One environment: cluster, load balancer, task definition, and the service.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  secure = var.https != null
  # Where the smoke checks go: the test listener.
  test_url = local.secure ? "https://${var.https.host}:8443" : "http://${aws_lb.this.dns_name}:8080"
  listener = { certificate_arn = local.secure ? var.https.certificate_arn : null }
  ports    = local.secure ? { production = 443, test = 8443 } : { production = 80, test = 8080 }
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91:Access logs need a bucket of their own; add one where they are read.
  #checkov:skip=CKV_AWS_150:An example must be easy to remove again.
  #checkov:skip=CKV2_AWS_28:A web application firewall is the application's decision, not the release tool's.
  name                       = var.name
  subnets                    = var.public_subnet_ids
  security_groups            = [aws_security_group.load_balancer.id]
  drop_invalid_header_fields = true
}

resource "aws_security_group" "load_balancer" {
  name        = "${var.name}-load-balancer"
  description = "Load balancer of ${var.name}"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "production" {
  security_group_id = aws_security_group.load_balancer.id
  description       = "Production traffic"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.ports.production
  to_port           = local.ports.production
}

# Not from everywhere: it leads to versions that nobody has checked yet. The hook comes from
# inside the VPC, but as the load balancer's address is a public one, through the NAT gateway.
resource "aws_vpc_security_group_ingress_rule" "test" {
  security_group_id = aws_security_group.load_balancer.id
  description       = "Smoke checks"
  cidr_ipv4         = "${var.nat_address}/32"
  ip_protocol       = "tcp"
  from_port         = local.ports.test
  to_port           = local.ports.test
}

resource "aws_vpc_security_group_egress_rule" "tasks" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "The tasks"
  referenced_security_group_id = module.service.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.container_port
  to_port                      = var.container_port
}

resource "aws_vpc_security_group_ingress_rule" "hook" {
  security_group_id            = module.service.security_group_id
  description                  = "Smoke checks of each new task"
  referenced_security_group_id = var.hook_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.container_port
  to_port                      = var.container_port
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs anyway; a key of one's own is the application's decision.
  #checkov:skip=CKV_AWS_338:A month of an example's logs is enough.
  name              = "/ecs/${var.name}"
  retention_in_days = 30
}

resource "aws_iam_role" "execution" {
  name = "${var.name}-execution"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

# The first revision. Each release is a copy of the one that serves, with another image: what
# changes here later is registered, and nothing deploys it. See the README.
resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  # A revision that is deregistered is no rollback target any more.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([{
    name         = "app"
    image        = "${var.repository.url}:${var.first_image}"
    essential    = true
    portMappings = [{ containerPort = var.container_port }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "app"
      }
    }
  }])

  depends_on = [aws_iam_role_policy_attachment.execution]
}

module "service" {
  source = "../../../modules/service"

  name                = var.name
  cluster_name        = aws_ecs_cluster.this.name
  task_definition_arn = aws_ecs_task_definition.this.arn
  task_role_arns      = [aws_iam_role.execution.arn]
  container_name      = "app"
  container_port      = var.container_port
  images              = [{ repository = var.repository.name, tags = var.image_tags }]

  vpc_id                          = var.vpc_id
  subnet_ids                      = var.private_subnet_ids
  load_balancer_arn               = aws_lb.this.arn
  load_balancer_security_group_id = aws_security_group.load_balancer.id
  production_listener             = merge(local.listener, { port = local.ports.production })
  test_listener                   = merge(local.listener, { port = local.ports.test })

  release = merge(var.release, {
    checks = {
      before-allow-traffic = [{ smoke = { base-url = local.test_url, requests = [{ get = "/health" }] } }]
    }
  })
}
