variable "name" {
  description = "The service's name in ECS, CodeDeploy and releases.yaml, and what its other resources begin with: api-production, for one."
  type        = string

  validation {
    # A target group's name has 32 characters, of which '-green' takes six.
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,25}$", var.name)) && !endswith(var.name, "-")
    error_message = "The name takes 26 letters, digits and hyphens at most, begins with a letter and does not end with a hyphen."
  }
}

variable "cluster_name" {
  description = "Name of the ECS cluster that the service runs in."
  type        = string

  validation {
    condition     = !startswith(var.cluster_name, "arn:")
    error_message = "Give the cluster's name: CodeDeploy does not take its ARN."
  }
}

variable "task_definition_arn" {
  description = "The revision that the service is created with. Later ones are deployed by Sluice, and Terraform leaves them alone."
  type        = string
}

variable "container_name" {
  description = "The container behind the load balancer, whose image is released."
  type        = string
}

variable "container_port" {
  description = "The port on which that container answers."
  type        = number

  validation {
    condition     = var.container_port >= 1 && var.container_port <= 65535
    error_message = "A port is a number from 1 to 65535."
  }
}

variable "images" {
  description = "Which images are released: pushes of `repository` whose whole tag matches the regular expression `tags` replace the image of `container`, by default container_name."
  type = list(object({
    repository = string
    container  = optional(string)
    tags       = optional(string, "[0-9a-f]{40}")
  }))

  validation {
    condition     = length(var.images) > 0
    error_message = "Name at least one repository that the service is released from."
  }

  validation {
    condition     = alltrue([for image in var.images : !can(regex("[:@]|[.]dkr[.]", image.repository))])
    error_message = "Write a repository's name alone, without registry, tag or digest."
  }
}

variable "desired_count" {
  description = "How many tasks the service is created with. Later, scaling decides, and Terraform leaves it alone."
  type        = number
  default     = 2

  validation {
    condition     = var.desired_count >= 0
    error_message = "The number of tasks cannot be negative."
  }
}

variable "task_role_arns" {
  description = "Execution role and task role of the task definition: CodeDeploy passes them to ECS, and may pass no others. Required with CODE_DEPLOY."
  type        = list(string)
  default     = []

  validation {
    condition     = var.deployment_controller != "CODE_DEPLOY" || length(var.task_role_arns) > 0
    error_message = "CodeDeploy must be allowed to pass the task definition's roles: name its execution role, and its task role if it has one."
  }

  validation {
    condition     = alltrue([for arn in var.task_role_arns : !can(regex("[*?]", arn))])
    error_message = "Name roles by their full ARNs, without * or ?."
  }
}

variable "vpc_id" {
  description = "The VPC of service and load balancer."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the tasks, in two availability zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Name at least one subnet."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks have public addresses: only needed in subnets without a NAT gateway or endpoints."
  type        = bool
  default     = false
}

variable "security_group_ids" {
  description = "Further security groups of the tasks, such as the one that may reach the database."
  type        = list(string)
  default     = []
}

variable "load_balancer_arn" {
  description = "The application load balancer that production and test traffic come through."
  type        = string

  validation {
    condition     = can(regex(":loadbalancer/app/", var.load_balancer_arn))
    error_message = "CodeDeploy shifts traffic by weight on application load balancers only."
  }
}

variable "load_balancer_security_group_id" {
  description = "A security group of the load balancer: its members may reach the tasks."
  type        = string
}

variable "production_listener" {
  description = "Where production traffic comes in: a listener of the service's own (`port`, and `certificate_arn` for HTTPS), or a rule of a shared one (`listener_arn`, `priority`, and `hosts` or `paths`)."
  type = object({
    port            = optional(number)
    certificate_arn = optional(string)
    ssl_policy      = optional(string, "ELBSecurityPolicy-TLS13-1-2-2021-06")
    listener_arn    = optional(string)
    priority        = optional(number)
    hosts           = optional(list(string), [])
    paths           = optional(list(string), [])
  })

  validation {
    condition     = (var.production_listener.port == null) != (var.production_listener.listener_arn == null)
    error_message = "Give either the port of an own listener, or the listener_arn of a shared one."
  }

  validation {
    condition     = var.production_listener.port != null || length(concat(var.production_listener.hosts, var.production_listener.paths)) > 0
    error_message = "On a shared listener, say by hosts or paths which requests are the service's."
  }
}

variable "test_listener" {
  description = "Where test traffic comes in, which reaches the new tasks before production does: smoke checks go here. As production_listener. Required with CODE_DEPLOY; with ECS there is none."
  type = object({
    port            = optional(number)
    certificate_arn = optional(string)
    ssl_policy      = optional(string, "ELBSecurityPolicy-TLS13-1-2-2021-06")
    listener_arn    = optional(string)
    priority        = optional(number)
    hosts           = optional(list(string), [])
    paths           = optional(list(string), [])
  })
  default = null

  validation {
    # Without a test listener AfterAllowTestTraffic does not run.
    condition     = (var.test_listener != null) == (var.deployment_controller == "CODE_DEPLOY")
    error_message = "CODE_DEPLOY needs a test listener: without one no check sees the new tasks before production does. A rolling deployment (ECS) has no test traffic, so leave it out."
  }

  validation {
    condition     = var.test_listener == null ? true : (var.test_listener.port == null) != (var.test_listener.listener_arn == null)
    error_message = "Give either the port of an own listener, or the listener_arn of a shared one."
  }

  validation {
    condition     = var.test_listener == null ? true : var.test_listener.port != null || length(concat(var.test_listener.hosts, var.test_listener.paths)) > 0
    error_message = "On a shared listener, say by hosts or paths which requests are the service's."
  }
}

variable "health_check" {
  description = "What the load balancer asks of each task, and how often; times in seconds."
  type = object({
    path                = optional(string, "/health")
    matcher             = optional(string, "200")
    interval            = optional(number, 10)
    timeout             = optional(number, 5)
    healthy_threshold   = optional(number, 2)
    unhealthy_threshold = optional(number, 3)
  })
  default = {}

  validation {
    condition     = startswith(var.health_check.path, "/")
    error_message = "The path of a health check begins with /."
  }

  validation {
    condition     = var.health_check.timeout < var.health_check.interval
    error_message = "A health check's timeout is shorter than its interval."
  }
}

variable "health_check_grace_period_seconds" {
  description = "How long ECS does not replace a new task that is not healthy yet."
  type        = number
  default     = 60
}

variable "deregistration_delay_seconds" {
  description = "How long a task that is taken out may finish its requests. As long as the slowest request; every deployment waits for it."
  type        = number
  default     = 30

  validation {
    condition     = var.deregistration_delay_seconds >= 0 && var.deregistration_delay_seconds <= 3600
    error_message = "Draining takes 0 to 3600 seconds."
  }
}

variable "deployment_controller" {
  description = "What runs deployments: CODE_DEPLOY (blue/green with canary), or ECS (rolling)."
  type        = string
  default     = "CODE_DEPLOY"

  validation {
    condition     = contains(["CODE_DEPLOY", "ECS"], var.deployment_controller)
    error_message = "The deployment controller is CODE_DEPLOY or ECS."
  }
}

variable "deployment_config_name" {
  description = "How CodeDeploy shifts traffic. A canary must outlast alarms.minutes and the two minutes or so that metrics take, or no alarm can fire in it."
  type        = string
  default     = "CodeDeployDefault.ECSCanary10Percent5Minutes"
}

variable "termination_wait_minutes" {
  description = "How long the old tasks are kept after all traffic has moved. A rollback within it takes seconds; the next deployment waits for its end."
  type        = number
  default     = 15

  validation {
    condition     = var.termination_wait_minutes >= 0 && var.termination_wait_minutes <= 2880
    error_message = "The old tasks are kept 0 to 2880 minutes."
  }
}

variable "alarms" {
  description = "When the alarms of each target group fire: share of 5xx answers in percent, 95th percentile of latency in seconds, for so many minutes; and any unhealthy host for so many minutes."
  type = object({
    error_percent     = optional(number, 5)
    p95_seconds       = optional(number, 1)
    minutes           = optional(number, 2)
    unhealthy_minutes = optional(number, 3)
  })
  default = {}

  validation {
    condition     = var.alarms.error_percent >= 0 && var.alarms.error_percent < 100 && var.alarms.p95_seconds > 0
    error_message = "The share of errors is from 0 to below 100 percent, and the latency above 0 seconds."
  }

  validation {
    condition     = alltrue([for minutes in [var.alarms.minutes, var.alarms.unhealthy_minutes] : minutes >= 1 && floor(minutes) == minutes])
    error_message = "Alarms look at whole minutes, at least one."
  }
}

variable "database" {
  description = "An RDS `instance` or Aurora `cluster`, by its identifier, and how many `connections` are too many: blue and green run side by side, each with its own pool."
  type = object({
    instance    = optional(string)
    cluster     = optional(string)
    connections = number
  })
  default = null

  validation {
    condition     = var.database == null ? true : (var.database.instance == null) != (var.database.cluster == null)
    error_message = "Name either an instance or a cluster."
  }
}

variable "alarm_actions" {
  description = "ARNs of SNS topics that the alarms tell as well. Sluice needs none: it hears of alarms through EventBridge."
  type        = list(string)
  default     = []
}

variable "release" {
  description = "The other keys of the service's entry in releases.yaml, as they are written there: checks, watch, gates, notify."
  type        = any
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.release), ["checks", "watch", "gates", "notify"])) == 0
    error_message = "The module writes the other keys itself: give only checks, watch, gates and notify."
  }

  validation {
    condition     = var.deployment_controller == "CODE_DEPLOY" || !can(var.release.checks)
    error_message = "A rolling deployment calls no lifecycle hook, so its checks would never run: leave them out, or use CODE_DEPLOY."
  }
}

variable "tags" {
  description = "Tags of everything that the module makes."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(key, "sluice:")])
    error_message = "Tags that begin with sluice: are Sluice's own."
  }
}
