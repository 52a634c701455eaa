//! The two forms a database has, and what RDS calls things of each: an instance, and a
//! cluster, of Aurora or over several zones.

use serde::Serialize;

use crate::cloud::Cloud;
use crate::fault::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Form {
    Instance,
    Cluster,
}

impl Form {
    /// What names of members, lists and faults begin with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Instance => "DBInstance",
            Self::Cluster => "DBCluster",
        }
    }

    /// The same of its snapshots.
    pub fn snapshot_word(self) -> &'static str {
        match self {
            Self::Instance => "DBSnapshot",
            Self::Cluster => "DBClusterSnapshot",
        }
    }

    pub fn identifier(self) -> String {
        format!("{}Identifier", self.word())
    }

    pub fn snapshot_identifier(self) -> String {
        format!("{}Identifier", self.snapshot_word())
    }

    /// How many characters a snapshot's name may have.
    pub fn longest_snapshot_name(self) -> usize {
        match self {
            Self::Instance => 255,
            Self::Cluster => 63,
        }
    }

    pub fn resource_id(self) -> &'static str {
        match self {
            Self::Instance => "DbiResourceId",
            Self::Cluster => "DbClusterResourceId",
        }
    }

    pub fn create_time(self) -> &'static str {
        match self {
            Self::Instance => "InstanceCreateTime",
            Self::Cluster => "ClusterCreateTime",
        }
    }

    pub fn status(self) -> &'static str {
        match self {
            Self::Instance => "DBInstanceStatus",
            Self::Cluster => "Status",
        }
    }

    pub fn arn(self, cloud: &Cloud, name: &str) -> String {
        let kind = match self {
            Self::Instance => "db",
            Self::Cluster => "cluster",
        };
        cloud.arn("rds", &format!("{kind}:{}", name.to_lowercase()))
    }

    pub fn snapshot_arn(self, cloud: &Cloud, name: &str) -> String {
        let kind = match self {
            Self::Instance => "snapshot",
            Self::Cluster => "cluster-snapshot",
        };
        cloud.arn("rds", &format!("{kind}:{}", name.to_lowercase()))
    }

    pub fn not_found(self, name: &str) -> Fault {
        let word = self.word();
        Fault::new(&format!("{word}NotFoundFault"), format!("{word} {name} not found."))
    }

    pub fn exists(self) -> Fault {
        let word = self.word();
        Fault::new(&format!("{word}AlreadyExistsFault"), format!("{word} already exists"))
    }

    pub fn invalid_state(self, message: impl Into<String>) -> Fault {
        Fault::new(&format!("Invalid{}StateFault", self.word()), message)
    }

    pub fn snapshot_not_found(self, name: &str) -> Fault {
        let word = self.snapshot_word();
        Fault::new(&format!("{word}NotFoundFault"), format!("{word} {name} not found."))
    }

    pub fn snapshot_exists(self, name: &str) -> Fault {
        let message = format!(
            "Cannot create the snapshot because a snapshot with the identifier {name} already exists."
        );
        Fault::new(&format!("{}AlreadyExistsFault", self.snapshot_word()), message)
    }

    pub fn invalid_snapshot_state(self, message: impl Into<String>) -> Fault {
        Fault::new(&format!("Invalid{}StateFault", self.snapshot_word()), message)
    }
}
