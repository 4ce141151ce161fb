"""The whole way from a new cluster to an upgraded clone, by boto3 and psql.

Arguments: major version of the source, of the target. Environment: RDS_URL, CA_FILE, PSQL."""

import os
import subprocess
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

FROM, TO = sys.argv[1:3]
NAME, CLONE = f"shop{FROM}to{TO}", f"shop{FROM}to{TO}-clone"
PASSWORD, NEW_PASSWORD = "first-secret!", "second-secret!"
rds = boto3.client(
    "rds",
    endpoint_url=os.environ["RDS_URL"],
    region_name="us-east-1",
    aws_access_key_id="x",
    aws_secret_access_key="y",
    config=Config(retries={"max_attempts": 1}),
)
last = time.monotonic()


def step(text):
    global last
    now = time.monotonic()
    print(f"{now - last:6.2f} s  {text}", flush=True)
    last = now


def refused(code, call, contains="", **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, (code, found)
        assert contains in found["Message"], (contains, found)
        return
    raise AssertionError(f"{call.__name__} {arguments} was not refused with {code}")


def cluster(name):
    return rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]


def instance(name):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def wait(read, done, seconds=90):
    """Waits until done(answer); returns the statuses seen on the way and the answer."""
    seen, deadline = [], time.monotonic() + seconds
    while True:
        answer = read()
        status = answer.get("DBInstanceStatus") or answer["Status"]
        if not seen or seen[-1] != status:
            seen.append(status)
        if done(answer):
            return seen, answer
        assert time.monotonic() < deadline, (seen, answer)
        time.sleep(0.05)


def available(read):
    return wait(read, lambda a: (a.get("DBInstanceStatus") or a["Status"]) == "available")


def sql(name, query, password=PASSWORD, database="shop", user="master", fails=None):
    found = cluster(name)
    target = (
        f"host={found['Endpoint']} port={found['Port']} user={user} dbname={database} "
        f"sslmode=verify-full sslrootcert={os.environ['CA_FILE']}"
    )
    command = [os.environ["PSQL"], "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]
    run = subprocess.run(
        command + ["-d", target], input=query, capture_output=True, text=True, env={**os.environ, "PGPASSWORD": password}
    )
    if fails:
        assert run.returncode and fails in run.stderr, (fails, run)
        return None
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def versions():
    found = {}
    for version in rds.describe_db_engine_versions(Engine="aurora-postgresql")["DBEngineVersions"]:
        found[version["MajorEngineVersion"]] = version
    assert list(found) == ["14", "15", "16", "17", "18"], list(found)
    targets = [target["EngineVersion"].split(".")[0] for target in found["15"]["ValidUpgradeTarget"]]
    assert targets == ["16", "17", "18"], targets
    assert all(target["IsMajorVersionUpgrade"] for target in found["15"]["ValidUpgradeTarget"])
    default = rds.describe_db_engine_versions(Engine="aurora-postgresql", DefaultOnly=True)["DBEngineVersions"]
    assert [version["MajorEngineVersion"] for version in default] == ["17"]
    exact = rds.describe_db_engine_versions(Engine="aurora-postgresql", EngineVersion=found["17"]["EngineVersion"])
    assert exact["DBEngineVersions"] == [found["17"]]
    return found[FROM]["EngineVersion"], found[TO]["EngineVersion"]


def parameter_groups():
    for major in (FROM, TO):
        group = f"logical{major}-{NAME}"
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=group,
            DBParameterGroupFamily=f"aurora-postgresql{major}",
            Description="logical replication",
            Tags=[{"Key": "purpose", "Value": "test <&>"}],
        )
        refused(
            "DBParameterGroupAlreadyExists",
            rds.create_db_cluster_parameter_group,
            DBClusterParameterGroupName=group,
            DBParameterGroupFamily=f"aurora-postgresql{major}",
            Description="again",
        )
        rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName=group,
            Parameters=[
                {"ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot"},
                {"ParameterName": "max_prepared_transactions", "ParameterValue": "5", "ApplyMethod": "pending-reboot"},
                {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"},
            ],
        )
    group = f"logical{FROM}-{NAME}"
    for code, contains, name, value, method in [
        ("InvalidParameterValue", "Could not find", "no_such", "1", "immediate"),
        ("InvalidParameterValue", "allowed values", "work_mem", "1", "immediate"),
        ("InvalidParameterValue", "cannot be modified", "wal_level", "logical", "pending-reboot"),
        ("InvalidParameterCombination", "static", "max_connections", "50", "immediate"),
    ]:
        change = [{"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}]
        refused(code, rds.modify_db_cluster_parameter_group, contains, DBClusterParameterGroupName=group, Parameters=change)
    pages = rds.get_paginator("describe_db_cluster_parameters").paginate(
        DBClusterParameterGroupName=group, PaginationConfig={"PageSize": 100}
    )
    parameters = [parameter for page in pages for parameter in page["Parameters"]]
    assert len(parameters) == len({parameter["ParameterName"] for parameter in parameters}) > 300
    user = rds.describe_db_cluster_parameters(DBClusterParameterGroupName=group, Source="user")["Parameters"]
    assert {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in user} == {
        "rds.logical_replication": "1",
        "max_prepared_transactions": "5",
        "work_mem": "8192",
    }
    applied = {parameter["ParameterName"]: parameter["ApplyType"] for parameter in user}
    assert applied["rds.logical_replication"] == "static" and applied["work_mem"] == "dynamic"
    refused("DBParameterGroupNotFound", rds.describe_db_cluster_parameters, DBClusterParameterGroupName="no-such")
    defaults = rds.describe_engine_default_cluster_parameters(DBParameterGroupFamily=f"aurora-postgresql{TO}")
    assert defaults["EngineDefaults"]["Parameters"] and defaults["EngineDefaults"]["Marker"]


def create(version):
    refused("DBClusterNotFoundFault", rds.describe_db_clusters, DBClusterIdentifier=NAME)
    request = {
        "DBClusterIdentifier": NAME,
        "Engine": "aurora-postgresql",
        "EngineVersion": version,
        "MasterUsername": "master",
        "MasterUserPassword": PASSWORD,
        "DatabaseName": "shop",
        "Tags": [{"Key": "team", "Value": "a&b"}],
    }
    refused("InvalidParameterValue", rds.create_db_cluster, **{**request, "MasterUserPassword": "short"})
    refused("InvalidParameterValue", rds.create_db_cluster, **{**request, "DBClusterIdentifier": "../etc"})
    refused("InvalidParameterCombination", rds.create_db_cluster, **{**request, "EngineVersion": "9.6"})
    created = rds.create_db_cluster(**request)["DBCluster"]
    assert created["Status"] == "creating" and created["TagList"] == [{"Key": "team", "Value": "a&b"}]
    refused("DBClusterAlreadyExistsFault", rds.create_db_cluster, **request)
    refused(
        "InvalidDBClusterStateFault",
        rds.create_db_instance,
        DBInstanceIdentifier=f"{NAME}-1",
        DBClusterIdentifier=NAME,
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    seen, _ = available(lambda: cluster(NAME))
    assert seen == ["creating", "available"], seen
    step("cluster created")
    add_instance(NAME)
    step("instance created")


def add_instance(name):
    answer = rds.create_db_instance(
        DBInstanceIdentifier=f"{name}-1", DBClusterIdentifier=name, Engine="aurora-postgresql", DBInstanceClass="db.r6g.large"
    )["DBInstance"]
    assert answer["DBInstanceStatus"] == "creating" and "Endpoint" not in answer
    _, found = available(lambda: instance(f"{name}-1"))
    assert found["Endpoint"]["Address"] == cluster(name)["Endpoint"]


def member(name):
    return cluster(name)["DBClusterMembers"][0]


def logical_replication():
    assert sql(NAME, "SHOW wal_level") == "replica"
    sql(NAME, "SELECT pg_current_wal_lsn()", fails="55000")
    refused(
        "DBClusterParameterGroupNotFound", rds.modify_db_cluster, DBClusterIdentifier=NAME, DBClusterParameterGroupName="none"
    )
    wrong = f"logical{TO}-{NAME}"
    refused(
        "InvalidParameterCombination", rds.modify_db_cluster, DBClusterIdentifier=NAME, DBClusterParameterGroupName=wrong
    )
    rds.modify_db_cluster(DBClusterIdentifier=NAME, DBClusterParameterGroupName=f"logical{FROM}-{NAME}", ApplyImmediately=True)
    seen, _ = available(lambda: cluster(NAME))
    assert seen == ["modifying", "available"], seen
    assert member(NAME)["DBClusterParameterGroupStatus"] == "pending-reboot"
    assert sql(NAME, "SHOW wal_level") == "replica" and sql(NAME, "SHOW work_mem") == "8MB"
    reboot(NAME)
    assert member(NAME)["DBClusterParameterGroupStatus"] == "in-sync"
    assert sql(NAME, "SHOW wal_level") == "logical" and sql(NAME, "SHOW rds.logical_replication") == "on"
    assert "/" in sql(NAME, "SELECT pg_current_wal_lsn()")
    step("parameter group and reboot")


def reboot(name):
    answer = rds.reboot_db_instance(DBInstanceIdentifier=f"{name}-1")["DBInstance"]
    assert answer["DBInstanceStatus"] == "rebooting"
    refused("InvalidDBInstanceState", rds.reboot_db_instance, DBInstanceIdentifier=f"{name}-1")
    available(lambda: instance(f"{name}-1"))


def roles():
    superuser, replication = sql(NAME, "SELECT rolsuper, rolreplication FROM pg_roles WHERE rolname = 'master'").split("|")
    assert superuser == ("t" if int(FROM) < 16 else "f")
    sql(NAME, "CREATE ROLE copier LOGIN PASSWORD 'copier-secret'; GRANT rds_replication TO copier")
    deadline = time.monotonic() + 5
    while sql(NAME, "SELECT rolreplication FROM pg_roles WHERE rolname = 'copier'") != "t":
        assert time.monotonic() < deadline, "rds_replication has no effect"
    sql(NAME, "SELECT 1", user="rdsadmin", fails="pg_hba.conf rejects")
    sql(NAME, "SELECT 1", database="rdsadmin", fails="pg_hba.conf rejects")
    sql(NAME, "SELECT 1", password="wrong", fails="password authentication failed")
    sql(NAME, "SELECT pg_last_wal_replay_lsn()", fails="0A000")
    assert sql(NAME, "SELECT aurora_version()").startswith(FROM + ".")
    assert sql(NAME, "SELECT aurora_volume_logical_start_lsn() IS NULL") == "t"
    sql(NAME, "SET session_replication_role = 'replica'; SELECT pg_replication_origin_create('o'), pg_replication_origin_drop('o')")


DIGEST = "SELECT count(*), sum(amount), md5(string_agg(id || ':' || amount, ',' ORDER BY id)) FROM orders WHERE id <= %s"


def digest(name, password, until):
    return sql(name, DIGEST % until, password=password)


class Writer:
    """Writes one row per transaction until the block ends."""

    def __enter__(self):
        found = cluster(NAME)
        target = f"host={found['Endpoint']} port={found['Port']} user=master dbname=shop sslmode=require"
        self.process = subprocess.Popen(
            [os.environ["PSQL"], "-X", "-q", "-d", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PGPASSWORD": PASSWORD},
        )
        self.process.stdin.write("INSERT INTO orders (amount) VALUES (1) \\watch 0.002\n")
        self.process.stdin.flush()
        time.sleep(0.3)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def load():
    sql(NAME, "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric NOT NULL)")
    sql(NAME, "INSERT INTO orders (amount) SELECT n * 1.5 FROM generate_series(1, 20000) n")
    sql(NAME, "CREATE PUBLICATION pub FOR TABLE orders")
    sql(NAME, "SELECT pg_create_logical_replication_slot('copy', 'pgoutput')", user="copier", password="copier-secret")
    sql(NAME, "INSERT INTO orders (amount) SELECT n FROM generate_series(1, 100) n")
    step("roles, tables and slot")


def clone():
    refused(
        "DBClusterNotFoundFault",
        rds.restore_db_cluster_to_point_in_time,
        DBClusterIdentifier=CLONE,
        SourceDBClusterIdentifier="no-such",
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
    )
    restore = {
        "DBClusterIdentifier": CLONE,
        "SourceDBClusterIdentifier": NAME,
        "RestoreType": "copy-on-write",
        "UseLatestRestorableTime": True,
        "DBClusterParameterGroupName": f"logical{FROM}-{NAME}",
        "VpcSecurityGroupIds": ["sg-1", "sg-2"],
        "Tags": [{"Key": "owner", "Value": "me"}],
    }
    refused("InvalidParameterCombination", rds.restore_db_cluster_to_point_in_time, **{**restore, "EnablePerformanceInsights": True})
    with Writer():
        answer = rds.restore_db_cluster_to_point_in_time(**restore)["DBCluster"]
        seen, found = available(lambda: cluster(CLONE))
    assert answer["CloneGroupId"] == cluster(NAME)["CloneGroupId"] and answer["Status"] == "creating"
    assert [group["VpcSecurityGroupId"] for group in answer["VpcSecurityGroups"]] == ["sg-1", "sg-2"]
    assert seen == ["creating", "available"], seen
    assert found["EngineVersion"] == cluster(NAME)["EngineVersion"] and found["Endpoint"] != cluster(NAME)["Endpoint"]
    same = rds.describe_db_clusters(Filters=[{"Name": "clone-group-id", "Values": [found["CloneGroupId"]]}])["DBClusters"]
    assert sorted(each["DBClusterIdentifier"] for each in same) == [NAME, CLONE]
    tags = rds.list_tags_for_resource(ResourceName=found["DBClusterArn"])["TagList"]
    assert tags == [{"Key": "owner", "Value": "me"}], tags
    step("cloned")
    add_instance(CLONE)
    step("clone's instance created")
    rds.modify_db_cluster(DBClusterIdentifier=CLONE, MasterUserPassword=NEW_PASSWORD, ApplyImmediately=True)
    wait(lambda: cluster(CLONE), lambda c: c["Status"] == "available" and "PendingModifiedValues" not in c)
    sql(CLONE, "SELECT 1", password=PASSWORD, fails="password authentication failed")
    last_row = sql(CLONE, "SELECT max(id) FROM orders", password=NEW_PASSWORD)
    assert 20100 < int(last_row) < int(sql(NAME, "SELECT max(id) FROM orders")), last_row
    assert digest(CLONE, NEW_PASSWORD, last_row) == digest(NAME, PASSWORD, last_row)
    log = read_logs(f"{CLONE}-1", "postgresql.log")
    assert "automatic recovery in progress" in log
    end = log.split("invalid record length at ")[1].split(":")[0] if "invalid record length at " in log else None
    start = sql(CLONE, "SELECT aurora_volume_logical_start_lsn()", password=NEW_PASSWORD)
    assert end is None or start == end, (start, end)
    step("password set, logs read")
    return last_row


def read_logs(name, contains):
    text = ""
    for file in rds.describe_db_log_files(DBInstanceIdentifier=name, FilenameContains=contains)["DescribeDBLogFiles"]:
        marker, pending = "0", True
        while pending:
            part = rds.download_db_log_file_portion(DBInstanceIdentifier=name, LogFileName=file["LogFileName"], Marker=marker)
            text += part.get("LogFileData", "")
            marker, pending = part["Marker"], part["AdditionalDataPending"]
    return text


def upgrade_refusals(target):
    modify = {"DBClusterIdentifier": CLONE, "EngineVersion": target, "ApplyImmediately": True}
    allowed = {**modify, "AllowMajorVersionUpgrade": True}
    for message, request in [
        ("flag must be present", {**modify, "DBClusterParameterGroupName": f"logical{TO}-{NAME}"}),
        ("is custom", allowed),
        ("can't be used", {**allowed, "DBClusterParameterGroupName": f"logical{FROM}-{NAME}"}),
        ("Cannot upgrade", {**allowed, "EngineVersion": "13.9"}),
    ]:
        refused("InvalidParameterCombination", rds.modify_db_cluster, message, **request)
    request = {**allowed, "DBClusterParameterGroupName": f"logical{TO}-{NAME}"}
    slots = "logical replication slots" if int(FROM) < 17 else None
    refused_by_precheck(request, "prepared transactions", slots)
    sql(CLONE, "ROLLBACK PREPARED 'waiting'", password=NEW_PASSWORD)
    if slots:
        refused_by_precheck(request, slots)
    sql(CLONE, "SELECT pg_drop_replication_slot('copy'); DROP PUBLICATION pub", password=NEW_PASSWORD)
    # A check of pg_upgrade itself: a column of a type whose values it cannot carry over.
    sql(CLONE, "CREATE TABLE odd (r regproc)", password=NEW_PASSWORD)
    refused_by_precheck(request, "reg")
    sql(CLONE, "DROP TABLE odd", password=NEW_PASSWORD)
    return request


def refused_by_precheck(request, *reasons):
    """Back to available at the old version, with an event and a log."""
    reasons = [reason for reason in reasons if reason]
    if "prepared transactions" in reasons:
        sql(CLONE, "BEGIN; INSERT INTO orders (amount) VALUES (1); PREPARE TRANSACTION 'waiting'", password=NEW_PASSWORD)
    old = cluster(CLONE)["EngineVersion"]
    answer = rds.modify_db_cluster(**request)["DBCluster"]
    assert answer["Status"] == "available" and answer["PendingModifiedValues"]["EngineVersion"] == request["EngineVersion"]
    seen, found = wait(lambda: cluster(CLONE), lambda c: "PendingModifiedValues" not in c and c["Status"] == "available")
    assert seen == ["available", "upgrading", "available"] and found["EngineVersion"] == old, (seen, found)
    events = rds.describe_events(SourceType="db-cluster", SourceIdentifier=CLONE, EventCategories=["maintenance"])["Events"]
    message = events[-1]["Message"]
    assert message.startswith("Database cluster is in a state that cannot be upgraded: "), message
    log = read_logs(f"{CLONE}-1", "pg_upgrade_internal")
    for reason in reasons:
        assert reason in message and reason in log, (reason, message, log)
    step(f"upgrade refused: {reasons}")


def upgrade(request, target, last_row):
    before = digest(CLONE, NEW_PASSWORD, last_row)
    rds.modify_db_cluster(**request)
    refused("InvalidDBClusterStateFault", rds.modify_db_cluster, DBClusterIdentifier=CLONE, BackupRetentionPeriod=2)
    seen, found = wait(lambda: cluster(CLONE), lambda c: c["EngineVersion"] == target and c["Status"] == "available")
    assert seen == ["available", "upgrading", "available"] and "PendingModifiedValues" not in found, (seen, found)
    assert instance(f"{CLONE}-1")["EngineVersion"] == target and instance(f"{CLONE}-1")["DBInstanceStatus"] == "available"
    step(f"upgraded to {target}")
    assert found["DBClusterParameterGroup"] == f"logical{TO}-{NAME}"
    assert member(CLONE)["DBClusterParameterGroupStatus"] == "pending-reboot"
    assert sql(CLONE, "SHOW wal_level", password=NEW_PASSWORD) == "replica"
    reboot(CLONE)
    assert member(CLONE)["DBClusterParameterGroupStatus"] == "in-sync"
    assert sql(CLONE, "SHOW wal_level", password=NEW_PASSWORD) == "logical"
    assert digest(CLONE, NEW_PASSWORD, last_row) == before == digest(NAME, PASSWORD, last_row)
    assert sql(CLONE, "SELECT aurora_version()", password=NEW_PASSWORD).startswith(TO + ".")
    sql(CLONE, "SELECT pg_last_wal_receive_lsn()", password=NEW_PASSWORD, fails="0A000")
    superuser = sql(CLONE, "SELECT rolsuper FROM pg_roles WHERE rolname = 'master'", password=NEW_PASSWORD)
    assert superuser == ("t" if int(TO) < 16 else "f")
    events = rds.describe_events(SourceType="db-cluster", SourceIdentifier=CLONE)["Events"]
    assert any("major version has been upgraded" in event["Message"] for event in events), events
    step("extra reboot")


def subscribe():
    """The upgraded clone follows its source: logical replication works with the functions renamed."""
    source = cluster(NAME)
    start = sql(NAME, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'copy'")
    rows = int(sql(NAME, "SELECT count(*) FROM orders")) - 20000 + 1
    info = f"host={source['Endpoint']} port={source['Port']} dbname=shop user=copier password=copier-secret sslmode=require"
    sql(NAME, "GRANT SELECT ON orders TO copier")
    sql(
        CLONE,
        "TRUNCATE orders; CREATE SUBSCRIPTION sub CONNECTION '" + info + "' PUBLICATION pub "
        "WITH (create_slot = false, slot_name = 'copy', enabled = false, copy_data = false)",
        password=NEW_PASSWORD,
    )
    oid = sql(CLONE, "SELECT oid FROM pg_subscription", password=NEW_PASSWORD)
    sql(CLONE, f"SELECT pg_replication_origin_advance('pg_{oid}', '{start}'); ALTER SUBSCRIPTION sub ENABLE", password=NEW_PASSWORD)
    sql(NAME, "INSERT INTO orders (amount) VALUES (7)")
    deadline = time.monotonic() + 30
    while sql(CLONE, "SELECT count(*) FROM orders", password=NEW_PASSWORD) != str(rows):
        assert time.monotonic() < deadline, read_logs(f"{CLONE}-1", "postgresql.log")[-3000:]
        time.sleep(0.1)
    step("subscribed and caught up")


def tidy_up():
    snapshots = rds.describe_db_cluster_snapshots(DBClusterIdentifier=CLONE, SnapshotType="manual")["DBClusterSnapshots"]
    assert len(snapshots) == 1 and snapshots[0]["DBClusterSnapshotIdentifier"].startswith(f"preupgrade-{CLONE}-{FROM}-"), snapshots
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshots[0]["DBClusterSnapshotIdentifier"])
    refused("InvalidDBClusterStateFault", rds.delete_db_cluster, DBClusterIdentifier=CLONE, SkipFinalSnapshot=True)
    group = f"logical{TO}-{NAME}"
    refused("InvalidDBParameterGroupState", rds.delete_db_cluster_parameter_group, DBClusterParameterGroupName=group)
    for name in (CLONE, NAME):
        rds.delete_db_instance(DBInstanceIdentifier=f"{name}-1", SkipFinalSnapshot=True)
        refused("InvalidParameterCombination", rds.delete_db_cluster, DBClusterIdentifier=name)
        rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    deadline = time.monotonic() + 30
    while rds.describe_db_clusters(Filters=[{"Name": "db-cluster-id", "Values": [NAME, CLONE]}])["DBClusters"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    refused("DBInstanceNotFound", rds.describe_db_instances, DBInstanceIdentifier=f"{CLONE}-1")
    for major in (FROM, TO):
        rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=f"logical{major}-{NAME}")
    refused("DBParameterGroupNotFound", rds.delete_db_cluster_parameter_group, DBClusterParameterGroupName=group)
    refused("InvalidAction", rds.describe_db_proxies)
    step("deleted")


source_version, target_version = versions()
parameter_groups()
step("parameter groups")
create(source_version)
logical_replication()
roles()
load()
last_row = clone()
upgrade(upgrade_refusals(target_version), target_version, last_row)
subscribe()
tidy_up()
