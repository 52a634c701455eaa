"""Snapshots of databases, with RDS's own waiters, and the events that tell of them."""

import pytest
from botocore.exceptions import WaiterError

from localcloud import ACCOUNT, REGION
from scene import events_to_queue, received

PATIENT = {"Delay": 1, "MaxAttempts": 60}


def instance(cloud, name: str, **tags: str) -> str:
    """An instance that is available; gives its ARN."""
    cloud.rds.create_db_instance(
        DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="owner", MasterUserPassword="a-password",
        Tags=[{"Key": f"sluice.cloud/{key.replace('_', '-')}", "Value": value} for key, value in tags.items()],
    )
    cloud.rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name, WaiterConfig=PATIENT)
    return f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{name}"


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_snapshot_of_an_instance_is_waited_for_and_told(cloud):
    url = events_to_queue(cloud, "snapshots", {"source": ["aws.rds"], "detail-type": ["RDS DB Snapshot Event"]})
    instance(cloud, "orders", snapshot_seconds="120")
    tags = [{"Key": "sluice:deployment", "Value": "d-1"}]
    made = cloud.rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="Before", Tags=tags)
    arn = made["DBSnapshot"]["DBSnapshotArn"]
    assert (made["DBSnapshot"]["Status"], arn) == ("creating", f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:before")
    with pytest.raises(cloud.rds.exceptions.InvalidDBInstanceStateFault):
        cloud.rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="second")
    cloud.rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="before", WaiterConfig=PATIENT)
    snapshot = cloud.rds.describe_db_snapshots(DBInstanceIdentifier="orders")["DBSnapshots"][0]
    assert (snapshot["PercentProgress"], snapshot["Engine"], snapshot["TagList"]) == (100, "postgres", tags)
    assert cloud.rds.list_tags_for_resource(ResourceName=arn)["TagList"] == tags
    begun, done = received(cloud, url, 2)
    assert (begun["detail"]["EventID"], done["detail"]["EventID"]) == ("RDS-EVENT-0040", "RDS-EVENT-0042")
    assert done["detail"]["SourceArn"] == arn and done["detail"]["Tags"] == {"sluice:deployment": "d-1"}
    with pytest.raises(cloud.rds.exceptions.DBSnapshotAlreadyExistsFault):
        cloud.rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="before")
    cloud.rds.delete_db_snapshot(DBSnapshotIdentifier="before")
    cloud.rds.get_waiter("db_snapshot_deleted").wait(DBSnapshotIdentifier="before", WaiterConfig=PATIENT)


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_snapshot_that_fails_ends_the_wait_for_it(cloud):
    arn = instance(cloud, "orders", snapshot_seconds="60", snapshot_fails="true")
    cloud.rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="bad")
    with pytest.raises(WaiterError, match="failed"):
        cloud.rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="bad", WaiterConfig=PATIENT)
    cloud.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["sluice.cloud/snapshot-fails"])
    cloud.rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="good")
    cloud.rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="good", WaiterConfig=PATIENT)


@pytest.mark.parametrize("cloud", [60], indirect=True)
def test_a_snapshot_of_a_cluster_is_one_of_the_whole_cluster(cloud):
    url = events_to_queue(
        cloud, "snapshots", {"source": ["aws.rds"], "detail-type": ["RDS DB Cluster Snapshot Event"]},
    )
    cloud.rds.create_db_cluster(
        DBClusterIdentifier="shop", Engine="aurora-postgresql", MasterUsername="owner", MasterUserPassword="a-password",
    )
    cloud.rds.create_db_instance(
        DBInstanceIdentifier="shop-1", DBInstanceClass="db.r6g.large", Engine="aurora-postgresql",
        DBClusterIdentifier="shop",
    )
    cloud.rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier="shop", WaiterConfig=PATIENT)
    with pytest.raises(cloud.rds.exceptions.ClientError, match="Please use the CreateDBClusterSnapshot API"):
        cloud.rds.create_db_snapshot(DBInstanceIdentifier="shop-1", DBSnapshotIdentifier="s")
    cloud.rds.create_db_cluster_snapshot(DBClusterIdentifier="shop", DBClusterSnapshotIdentifier="s")
    cloud.rds.get_waiter("db_cluster_snapshot_available").wait(
        DBClusterSnapshotIdentifier="s", WaiterConfig=PATIENT,
    )
    ids = [event["detail"]["EventID"] for event in received(cloud, url, 2)]
    assert ids == ["RDS-EVENT-0074", "RDS-EVENT-0075"]
