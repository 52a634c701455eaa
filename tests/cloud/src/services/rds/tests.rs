//! Databases and their snapshots as a caller and a rule see them.

use serde_json::{Value, json};

use crate::cloud::{Cloud, Settings};
use crate::time::{MINUTE, Ms, SECOND};
use crate::timeline::Kind;

const START: Ms = 1_767_225_600_000; // 2026-01-01T00:00:00Z

struct Bench {
    cloud: Cloud,
    now: Ms,
}

impl Bench {
    /// An instance `orders` and a cluster `shop` with a member `shop-1`, all available.
    fn new() -> Self {
        let mut bench = Self { cloud: Cloud::new(Settings::default(), START), now: START };
        bench.done("CreateDBInstance", instance("Orders"));
        bench.done("CreateDBCluster", cluster("shop"));
        let member = json!({
            "DBInstanceIdentifier": "shop-1", "DBInstanceClass": "db.r6g.large", "Engine": "aurora-postgresql",
            "DBClusterIdentifier": "shop",
        });
        bench.done("CreateDBInstance", member);
        bench.wait(3 * MINUTE);
        bench
    }

    fn ask(&mut self, operation: &str, input: Value) -> Result<Value, String> {
        self.cloud.call("rds", operation, input, self.now).map_err(|fault| fault.shape)
    }

    fn done(&mut self, operation: &str, input: Value) -> Value {
        self.ask(operation, input).unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    fn wait(&mut self, time: Ms) {
        self.now += time;
        self.cloud.advance(self.now);
    }

    fn tag(&mut self, kind: &str, name: &str, key: &str, value: &str) {
        let arn = format!("arn:aws:rds:us-east-1:123456789012:{kind}:{name}");
        let input = json!({ "ResourceName": arn, "Tags": [{ "Key": key, "Value": value }] });
        self.done("AddTagsToResource", input);
    }

    /// `DBSnapshots` or `DBClusterSnapshots`, as they are described.
    fn snapshots(&mut self, word: &str, input: Value) -> Vec<Value> {
        let list = format!("{word}s");
        self.done(&format!("Describe{list}"), input)[&list].as_array().unwrap().clone()
    }

    fn status(&mut self, word: &str) -> String {
        self.snapshots(word, json!({}))[0]["Status"].as_str().unwrap().to_owned()
    }

    /// Events so far: detail type, id, category and message.
    fn told(&self) -> Vec<[String; 4]> {
        let events = self.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Event);
        let parts = |event: &Value| {
            let detail = &event["detail"];
            [&event["detail-type"], &detail["EventID"], &detail["EventCategories"][0], &detail["Message"]]
                .map(|part| part.as_str().unwrap().to_owned())
        };
        events.map(|entry| parts(&entry.data)).collect()
    }
}

fn instance(name: &str) -> Value {
    json!({
        "DBInstanceIdentifier": name, "DBInstanceClass": "db.t4g.micro", "Engine": "postgres",
        "AllocatedStorage": 20, "MasterUsername": "owner", "MasterUserPassword": "not-to-be-seen",
    })
}

fn cluster(name: &str) -> Value {
    json!({
        "DBClusterIdentifier": name, "Engine": "aurora-postgresql", "MasterUsername": "owner",
        "MasterUserPassword": "not-to-be-seen",
    })
}

fn snapshot(of: &str, name: &str) -> Value {
    json!({ "DBInstanceIdentifier": of, "DBSnapshotIdentifier": name })
}

fn cluster_snapshot(of: &str, name: &str) -> Value {
    json!({ "DBClusterIdentifier": of, "DBClusterSnapshotIdentifier": name })
}

#[test]
fn a_snapshot_of_an_instance_takes_the_time_that_its_tag_says_and_tells_both_ends() {
    let mut bench = Bench::new();
    bench.tag("db", "orders", "sluice.cloud/snapshot-seconds", "600");
    let mut input = snapshot("ORDERS", "Before-2");
    input["Tags"] = json!([{ "Key": "sluice:deployment", "Value": "d-1" }]);
    let made = bench.done("CreateDBSnapshot", input)["DBSnapshot"].clone();
    assert_eq!((&made["Status"], &made["PercentProgress"]), (&json!("creating"), &json!(0)));
    assert_eq!(made["DBSnapshotArn"], "arn:aws:rds:us-east-1:123456789012:snapshot:before-2");
    bench.wait(300 * SECOND);
    let half = bench.snapshots("DBSnapshot", json!({ "DBSnapshotIdentifier": "before-2" }));
    assert_eq!((&half[0]["Status"], &half[0]["PercentProgress"]), (&json!("creating"), &json!(50)));
    bench.wait(300 * SECOND);
    assert_eq!(bench.status("DBSnapshot"), "available");
    let event =
        |id: &str, message: &str| ["RDS DB Snapshot Event", id, "creation", message].map(String::from);
    let both = [
        event("RDS-EVENT-0040", "Creating manual snapshot"),
        event("RDS-EVENT-0042", "Manual snapshot created"),
    ];
    assert_eq!(bench.told(), both);
    let last = bench.cloud.timeline().iter().rev().find(|e| e.kind == Kind::Event).unwrap().data.clone();
    assert_eq!(last["resources"][0], made["DBSnapshotArn"]);
    assert_eq!(last["detail"]["SourceArn"], made["DBSnapshotArn"]);
    assert_eq!(last["detail"]["SourceIdentifier"], "before-2");
    assert_eq!(last["detail"]["Tags"], json!({ "sluice:deployment": "d-1" }));
}

#[test]
fn a_snapshot_of_a_cluster_tells_its_own_events() {
    let mut bench = Bench::new();
    bench.done("CreateDBClusterSnapshot", cluster_snapshot("shop", "before-2"));
    assert_eq!(bench.status("DBClusterSnapshot"), "creating");
    bench.wait(3 * MINUTE);
    assert_eq!(bench.status("DBClusterSnapshot"), "available");
    bench.done("DeleteDBClusterSnapshot", json!({ "DBClusterSnapshotIdentifier": "before-2" }));
    let ids: Vec<_> = bench.told().into_iter().map(|[kind, id, category, _]| (kind, id, category)).collect();
    let event = |id: &str| ("RDS DB Cluster Snapshot Event".to_owned(), id.to_owned(), "backup".to_owned());
    assert_eq!(ids, [event("RDS-EVENT-0074"), event("RDS-EVENT-0075")], "none tells a deletion");
}

#[test]
fn a_snapshot_that_fails_is_told_by_no_event_and_can_be_deleted() {
    let mut bench = Bench::new();
    bench.tag("db", "orders", "sluice.cloud/snapshot-fails", "true");
    bench.done("CreateDBSnapshot", snapshot("orders", "s"));
    bench.wait(3 * MINUTE);
    assert_eq!(bench.status("DBSnapshot"), "failed");
    assert_eq!(bench.told().len(), 1, "that it began");
    let deleted = bench.done("DeleteDBSnapshot", json!({ "DBSnapshotIdentifier": "s" }));
    assert_eq!(deleted["DBSnapshot"]["Status"], "deleted");
    assert_eq!(bench.told()[1][1], "RDS-EVENT-0041");
    bench.tag("db", "orders", "sluice.cloud/snapshot-fails", "false");
    bench.done("CreateDBSnapshot", snapshot("orders", "s"));
    bench.wait(3 * MINUTE);
    assert_eq!(bench.status("DBSnapshot"), "available");
}

#[test]
fn a_database_takes_one_snapshot_at_a_time_and_each_name_once() {
    let mut bench = Bench::new();
    let status = |bench: &mut Bench| {
        let found = bench.done("DescribeDBInstances", json!({ "DBInstanceIdentifier": "orders" }));
        found["DBInstances"][0]["DBInstanceStatus"].as_str().unwrap().to_owned()
    };
    bench.done("CreateDBSnapshot", snapshot("orders", "one"));
    assert_eq!(status(&mut bench), "backing-up");
    for name in ["one", "two"] {
        let again = bench.ask("CreateDBSnapshot", snapshot("orders", name));
        assert_eq!(again, Err("InvalidDBInstanceStateFault".into()));
    }
    bench.wait(3 * MINUTE);
    assert_eq!(status(&mut bench), "available");
    assert_eq!(
        bench.ask("CreateDBSnapshot", snapshot("orders", "ONE")),
        Err("DBSnapshotAlreadyExistsFault".into())
    );
    bench.done("CreateDBClusterSnapshot", cluster_snapshot("shop", "one"));
    let again = bench.ask("CreateDBClusterSnapshot", cluster_snapshot("shop", "two"));
    assert_eq!(again, Err("InvalidDBClusterStateFault".into()));
    bench.wait(3 * MINUTE);
    let again = bench.ask("CreateDBClusterSnapshot", cluster_snapshot("shop", "one"));
    assert_eq!(again, Err("DBClusterSnapshotAlreadyExistsFault".into()));
}

#[test]
fn what_cannot_be_taken_is_refused_by_its_own_name() {
    let mut bench = Bench::new();
    bench.done("CreateDBInstance", instance("young"));
    let long = "a".repeat(64);
    let cases = [
        ("CreateDBSnapshot", snapshot("none", "s"), "DBInstanceNotFoundFault"),
        ("CreateDBSnapshot", snapshot("shop", "s"), "DBInstanceNotFoundFault"),
        ("CreateDBSnapshot", snapshot("shop-1", "s"), "InvalidParameterValue"),
        ("CreateDBSnapshot", snapshot("young", "s"), "InvalidDBInstanceStateFault"),
        ("CreateDBSnapshot", snapshot("orders", "a--b"), "InvalidParameterValue"),
        ("CreateDBSnapshot", snapshot("orders", "a-"), "InvalidParameterValue"),
        ("CreateDBSnapshot", snapshot("orders", "1a"), "InvalidParameterValue"),
        ("CreateDBSnapshot", snapshot("orders", "rds:a"), "InvalidParameterValue"),
        ("CreateDBSnapshot", json!({ "DBInstanceIdentifier": "orders" }), "MissingParameter"),
        ("CreateDBClusterSnapshot", cluster_snapshot("orders", "s"), "DBClusterNotFoundFault"),
        ("CreateDBClusterSnapshot", cluster_snapshot("shop", &long), "InvalidParameterValue"),
        ("DescribeDBSnapshots", json!({ "DBSnapshotIdentifier": "none" }), "DBSnapshotNotFoundFault"),
        ("DescribeDBSnapshots", json!({ "MaxRecords": 5 }), "InvalidParameterValue"),
        ("DescribeDBSnapshots", json!({ "SnapshotType": "big" }), "InvalidParameterValue"),
        ("DescribeDBSnapshots", snapshot("orders", "s"), "InvalidParameterCombination"),
        (
            "DescribeDBClusterSnapshots",
            json!({ "DBClusterSnapshotIdentifier": "none" }),
            "DBClusterSnapshotNotFoundFault",
        ),
        ("DeleteDBSnapshot", json!({ "DBSnapshotIdentifier": "none" }), "DBSnapshotNotFoundFault"),
    ];
    for (operation, input, fault) in cases {
        assert_eq!(bench.ask(operation, input.clone()), Err(fault.into()), "{operation} {input}");
    }
    bench.done("CreateDBSnapshot", snapshot("orders", &"a".repeat(255)));
    let creating = json!({ "DBSnapshotIdentifier": "a".repeat(255) });
    assert_eq!(bench.ask("DeleteDBSnapshot", creating), Err("InvalidDBSnapshotStateFault".into()));
}

#[test]
fn snapshots_are_found_by_database_type_and_filter_and_outlive_their_database() {
    let mut bench = Bench::new();
    bench.done("CreateDBInstance", instance("other"));
    bench.wait(3 * MINUTE);
    for (database, name) in [("orders", "a"), ("other", "b")] {
        bench.done("CreateDBSnapshot", snapshot(database, name));
    }
    bench.wait(3 * MINUTE);
    let filter = |name: &str, value: &str| json!({ "Filters": [{ "Name": name, "Values": [value] }] });
    for (input, names) in [
        (json!({}), vec!["a", "b"]),
        (json!({ "DBInstanceIdentifier": "Orders" }), vec!["a"]),
        (json!({ "DBInstanceIdentifier": "none" }), vec![]),
        (json!({ "SnapshotType": "automated" }), vec![]),
        (json!({ "SnapshotType": "manual", "DBInstanceIdentifier": "other" }), vec!["b"]),
        (filter("db-snapshot-id", "b"), vec!["b"]),
        (filter("engine", "mysql"), vec![]),
    ] {
        let found = bench.snapshots("DBSnapshot", input.clone());
        let found: Vec<_> = found.iter().map(|s| s["DBSnapshotIdentifier"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{input}");
    }
    let delete = json!({ "DBInstanceIdentifier": "orders", "SkipFinalSnapshot": true });
    bench.done("DeleteDBInstance", delete);
    bench.wait(MINUTE);
    let gone = bench.ask("DescribeDBInstances", json!({ "DBInstanceIdentifier": "orders" }));
    assert_eq!(gone, Err("DBInstanceNotFoundFault".into()));
    assert_eq!(bench.snapshots("DBSnapshot", json!({ "DBInstanceIdentifier": "orders" })).len(), 1);
}

#[test]
fn a_database_is_made_and_deleted_by_rds_s_rules() {
    let mut bench = Bench::new();
    let with = |mut input: Value, member: &str, value: Value| {
        input[member] = value;
        input
    };
    let cases = [
        ("CreateDBInstance", instance("orders"), "DBInstanceAlreadyExistsFault"),
        ("CreateDBCluster", cluster("SHOP"), "DBClusterAlreadyExistsFault"),
        ("CreateDBInstance", with(instance("a"), "AllocatedStorage", Value::Null), "InvalidParameterValue"),
        ("CreateDBInstance", with(instance("a"), "MasterUserPassword", Value::Null), "InvalidParameterValue"),
        (
            "CreateDBInstance",
            with(instance("a"), "DBClusterIdentifier", json!("none")),
            "DBClusterNotFoundFault",
        ),
        (
            "CreateDBInstance",
            with(instance("a"), "DBClusterIdentifier", json!("shop")),
            "InvalidParameterCombination",
        ),
        (
            "CreateDBInstance",
            with(instance("a"), "Engine", json!("aurora-mysql")),
            "InvalidParameterCombination",
        ),
        ("CreateDBInstance", with(instance("a"), "Engine", json!("db2-se")), "NotModelled"),
        ("CreateDBInstance", with(instance("a"), "Iops", json!(3000)), "NotModelled"),
        ("DeleteDBInstance", json!({ "DBInstanceIdentifier": "orders" }), "InvalidParameterCombination"),
        (
            "DeleteDBCluster",
            json!({ "DBClusterIdentifier": "shop", "SkipFinalSnapshot": true }),
            "InvalidDBClusterStateFault",
        ),
    ];
    for (operation, input, fault) in cases {
        assert_eq!(bench.ask(operation, input.clone()), Err(fault.into()), "{operation} {input}");
    }
    let shown = bench.done("DescribeDBClusters", json!({}))["DBClusters"].clone();
    let member = json!([{ "DBInstanceIdentifier": "shop-1", "IsClusterWriter": true }]);
    assert_eq!(shown[0]["DBClusterMembers"], member);
    bench.done("DeleteDBInstance", json!({ "DBInstanceIdentifier": "shop-1" }));
    bench.done("DeleteDBCluster", json!({ "DBClusterIdentifier": "shop", "SkipFinalSnapshot": true }));
    bench.wait(MINUTE);
    assert_eq!(bench.done("DescribeDBClusters", json!({}))["DBClusters"], json!([]));
    assert!(!bench.cloud.dump().to_string().contains("not-to-be-seen"));
}

#[test]
fn a_protected_database_stays() {
    let mut bench = Bench::new();
    let mut input = instance("kept");
    input["DeletionProtection"] = json!(true);
    bench.done("CreateDBInstance", input);
    bench.wait(3 * MINUTE);
    let delete = json!({ "DBInstanceIdentifier": "kept", "SkipFinalSnapshot": true });
    assert_eq!(bench.ask("DeleteDBInstance", delete), Err("InvalidParameterCombination".into()));
}

#[test]
fn tags_are_added_taken_off_copied_to_snapshots_and_held_to_rds_s_letters() {
    let mut bench = Bench::new();
    let mut input = instance("tagged");
    input["CopyTagsToSnapshot"] = json!(true);
    input["Tags"] = json!([{ "Key": "team", "Value": "a" }, { "Key": "gone", "Value": "" }]);
    bench.done("CreateDBInstance", input);
    bench.wait(3 * MINUTE);
    let arn = "arn:aws:rds:us-east-1:123456789012:db:tagged";
    bench.done("RemoveTagsFromResource", json!({ "ResourceName": arn, "TagKeys": ["gone"] }));
    let mut input = snapshot("tagged", "s");
    input["Tags"] = json!([{ "Key": "sluice:hook-0", "Value": "eyJ+/=" }]);
    bench.done("CreateDBSnapshot", input);
    let of = json!({ "ResourceName": "arn:aws:rds:us-east-1:123456789012:snapshot:s" });
    let both = json!([{ "Key": "sluice:hook-0", "Value": "eyJ+/=" }, { "Key": "team", "Value": "a" }]);
    assert_eq!(bench.done("ListTagsForResource", of)["TagList"], both);
    let add = |resource: &str, key: &str, value: &str| {
        json!({
            "ResourceName": format!("arn:aws:rds:us-east-1:123456789012:{resource}"),
            "Tags": [{ "Key": key, "Value": value }],
        })
    };
    for (input, fault) in [
        (add("db:none", "a", "b"), "DBInstanceNotFoundFault"),
        (add("cluster-snapshot:s", "a", "b"), "DBClusterSnapshotNotFoundFault"),
        (add("pg:none", "a", "b"), "InvalidParameterValue"),
        (add("db:tagged", "aws:a", "b"), "InvalidParameterValue"),
        (add("db:tagged", "a", "b;c"), "InvalidParameterValue"),
        (add("db:tagged", "a", &"b".repeat(257)), "InvalidParameterValue"),
        (add("db:tagged", "sluice.cloud/snapshot-seconds", "soon"), "InvalidParameterValue"),
        (add("db:tagged", "sluice.cloud/snapshot-fails", "perhaps"), "InvalidParameterValue"),
    ] {
        assert_eq!(bench.ask("AddTagsToResource", input.clone()), Err(fault.into()), "{input}");
    }
}
