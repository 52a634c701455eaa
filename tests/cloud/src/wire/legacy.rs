//! The error codes that SQS had before it spoke JSON, and still sends beside the new ones.
//!
//! SDKs take the code from `x-amzn-query-error`: what an application sees for a queue
//! that is not there is `AWS.SimpleQueueService.NonExistentQueue`, not the shape's name.
//! botocore's current model no longer carries them; its earlier ones did.

const SQS: &[(&str, &str)] = &[
    ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"),
    ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
    ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ("InvalidParameterValueException", "InvalidParameterValue"),
    ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
    ("MissingRequiredParameterException", "MissingParameter"),
    ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress"),
    ("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"),
    ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
    ("QueueNameExists", "QueueAlreadyExists"),
    ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"),
];

/// The code for a fault of a service that once spoke the query protocol.
pub fn code<'a>(service: &str, shape: &'a str) -> &'a str {
    let known = SQS.iter().find(|(name, _)| service == "sqs" && *name == shape);
    known.map_or(shape, |(_, code)| *code)
}
