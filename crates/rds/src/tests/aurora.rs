//! A cluster of the local RDS, from its clone to the clone's end.
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_rds::types::{ApplyMethod, Parameter};
use jiff::Timestamp;
use lab_rds::{LocalRds, Options};
use tokio::time::Instant;

use super::{OURS, rds_at};
use crate::{CloneRequest, Cluster, Health, Instance, OWNER, Rds};

const ENGINE: &str = "aurora-postgresql";
const PASSWORD: &str = "M4ster-of-the-shop";
const LIMIT: Duration = Duration::from_mins(2);

struct Lab {
    local: LocalRds,
    rds: Rds,
    tags: BTreeMap<String, String>,
}

impl Lab {
    async fn start() -> Self {
        let local = LocalRds::start(Options {
            state_delay_ms: 20,
            ..Options::default()
        })
        .await
        .unwrap();
        let rds = rds_at(&local.url()).await;
        Self {
            local,
            rds,
            tags: BTreeMap::from([(OWNER.to_owned(), OURS.to_owned())]),
        }
    }

    /// A source with one instance and a parameter group that the user has changed.
    async fn create_source(&self, version: &str) {
        let (client, family) = (
            &self.rds.client,
            self.rds.parameter_group_family(ENGINE, version).await.unwrap(),
        );
        let group = client
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name("shop")
            .description("d");
        group.db_parameter_group_family(family).send().await.unwrap();
        let set = |name: &str, value: &str| {
            Parameter::builder()
                .parameter_name(name)
                .parameter_value(value)
                .apply_method(ApplyMethod::PendingReboot)
                .build()
        };
        let change = client
            .modify_db_cluster_parameter_group()
            .db_cluster_parameter_group_name("shop");
        let change = change
            .parameters(set("work_mem", "8192"))
            .parameters(set("max_prepared_transactions", "5"));
        // The test's own session is without TLS; it does not leave this machine.
        let change = change.parameters(set("rds.force_ssl", "0"));
        change.send().await.unwrap();
        let cluster = client
            .create_db_cluster()
            .db_cluster_identifier("shop-prod")
            .engine(ENGINE)
            .engine_version(version);
        let cluster = cluster
            .master_username("shop_admin")
            .master_user_password(PASSWORD)
            .database_name("shop");
        cluster
            .db_cluster_parameter_group_name("shop")
            .deletion_protection(true)
            .send()
            .await
            .unwrap();
        self.available("shop-prod").await;
        let instance = client
            .create_db_instance()
            .db_instance_identifier("shop-prod-1")
            .db_cluster_identifier("shop-prod");
        instance
            .engine(ENGINE)
            .db_instance_class("db.r7g.large")
            .send()
            .await
            .unwrap();
        self.running("shop-prod").await;
    }

    /// Clones the source under a parameter group of its own.
    async fn clone_source(&self, identifier: &str) -> Cluster {
        let source = self.rds.cluster("shop-prod").await.unwrap().unwrap();
        let mut parameters = self.rds.user_cluster_parameters(&source.parameter_group).await.unwrap();
        assert_eq!(parameters.get("work_mem").map(String::as_str), Some("8192"));
        parameters.insert("rds.logical_replication".to_owned(), "1".to_owned());
        let family = self
            .rds
            .parameter_group_family(ENGINE, &source.engine_version)
            .await
            .unwrap();
        let request = CloneRequest {
            source: &source,
            identifier,
            parameter_group: "pgupgrade-clone",
            tags: &self.tags,
        };
        for _ in 0..2 {
            let made =
                self.rds
                    .ensure_cluster_parameter_group("pgupgrade-clone", &family, "d", &self.tags, &parameters);
            made.await.unwrap();
            self.rds.clone_cluster(&request).await.unwrap();
        }
        let clone = self.available(identifier).await;
        assert_eq!(
            (&clone.clone_group_id, &clone.engine_version),
            (&source.clone_group_id, &source.engine_version)
        );
        let writer = format!("{identifier}-1");
        for _ in 0..2 {
            self.rds
                .create_writer(&clone, &writer, "db.r7g.large", "", &self.tags)
                .await
                .unwrap();
        }
        self.running(identifier).await
    }

    async fn upgrade(&self, clone: &Cluster, version: &str) -> Timestamp {
        let family = self.rds.parameter_group_family(ENGINE, version).await.unwrap();
        let set = self.rds.user_cluster_parameters(&clone.parameter_group).await.unwrap();
        let defaults = self.rds.engine_default_cluster_parameters(&family).await.unwrap();
        let (kept, dropped) = crate::carried_over(&set, &defaults);
        assert!(
            kept.len() >= 2 && kept.contains_key("rds.logical_replication"),
            "{kept:?} {dropped:?}"
        );
        let (cluster, instance) = ("pgupgrade-cluster", "pgupgrade-instance");
        self.rds
            .ensure_cluster_parameter_group(cluster, &family, "d", &self.tags, &kept)
            .await
            .unwrap();
        self.rds
            .ensure_db_parameter_group(instance, &family, "d", &self.tags, &BTreeMap::new())
            .await
            .unwrap();
        let since = Timestamp::now();
        self.rds
            .upgrade_cluster(clone, version, cluster, instance)
            .await
            .unwrap();
        since
    }

    async fn available(&self, identifier: &str) -> Cluster {
        self.until(identifier, |cluster, _| cluster.health() == Health::Available)
            .await
            .0
    }

    /// With all of its instances.
    async fn running(&self, identifier: &str) -> Cluster {
        let version = self.rds.cluster(identifier).await.unwrap().unwrap().engine_version;
        self.until(identifier, |cluster, members| cluster.settled(members, &version))
            .await
            .0
    }

    async fn until(&self, identifier: &str, good: impl Fn(&Cluster, &[Instance]) -> bool) -> (Cluster, Vec<Instance>) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let cluster = self.rds.cluster(identifier).await.unwrap().unwrap();
            let members = self.rds.members(&cluster).await.unwrap();
            if good(&cluster, &members) {
                return (cluster, members);
            }
            assert!(Instant::now() < deadline, "{identifier}: {cluster:?} {members:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn delete(&self, identifier: &str) {
        let deadline = Instant::now() + LIMIT;
        while let Some(cluster) = self.rds.cluster(identifier).await.unwrap() {
            self.rds.delete_cluster(&cluster, OURS).await.unwrap();
            assert!(Instant::now() < deadline, "{identifier} is {}", cluster.status);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a statement as the master user, and returns its first value.
    async fn sql(
        &self,
        cluster: &Cluster,
        password: &str,
        statement: &str,
    ) -> Result<Option<String>, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&cluster.endpoint.host)
            .port(cluster.endpoint.port)
            .user(&cluster.master_username)
            .dbname("shop");
        let (client, connection) = config.password(password).connect(tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        let result = client.simple_query(statement).await;
        drop(client);
        connection.await.unwrap()?;
        let rows = result?;
        Ok(rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }
}

async fn version(major: u16) -> String {
    lab_postgres::Binaries::fetch(major).await.unwrap().version().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_clone_to_deletion() {
    let (lab, from) = (Lab::start().await, version(17).await);
    let wanted = lab
        .rds
        .resolve_target_version(ENGINE, &from, "18")
        .await
        .unwrap()
        .unwrap();
    lab.create_source(&from).await;
    let clone = lab.clone_source("shop-prod-18").await;
    assert!(clone.created >= lab.rds.cluster("shop-prod").await.unwrap().unwrap().created);

    refused_for_a_prepared_transaction(&lab, &clone, &wanted).await;
    lab.upgrade(&clone, &wanted).await;
    let (clone, members) = lab
        .until("shop-prod-18", |cluster, members| cluster.settled(members, &wanted))
        .await;
    assert_eq!(
        (clone.parameter_group.as_str(), members[0].parameter_group.as_str()),
        ("pgupgrade-cluster", "pgupgrade-instance")
    );
    reboot(&lab, &clone).await;

    assert!(
        lab.rds
            .delete_cluster_parameter_group("pgupgrade-cluster", OURS)
            .await
            .unwrap_err()
            .is_invalid_state(),
        "in use"
    );
    lab.rds.delete_preupgrade_snapshots(&clone).await.unwrap();
    let snapshots = lab.rds.client.describe_db_cluster_snapshots().send().await.unwrap();
    assert_eq!(snapshots.db_cluster_snapshots().len(), 0);
    lab.delete("shop-prod-18").await;
    for group in ["pgupgrade-clone", "pgupgrade-cluster", "pgupgrade-cluster"] {
        lab.rds.delete_cluster_parameter_group(group, OURS).await.unwrap();
    }
    lab.rds
        .delete_db_parameter_group("pgupgrade-instance", OURS)
        .await
        .unwrap();
    what_is_not_ours_stays(&lab).await;
    lab.local.stop().await;
}

async fn refused_for_a_prepared_transaction(lab: &Lab, clone: &Cluster, wanted: &str) {
    lab.sql(
        clone,
        PASSWORD,
        "BEGIN; CREATE TABLE half (); PREPARE TRANSACTION 'half-done'",
    )
    .await
    .unwrap();
    let since = lab.upgrade(clone, wanted).await;
    let deadline = Instant::now() + LIMIT;
    let why = loop {
        let now = lab.rds.cluster(&clone.identifier).await.unwrap().unwrap();
        let members = lab.rds.members(&now).await.unwrap();
        if let Some(why) = lab.rds.upgrade_failure(&now, &members, since).await.unwrap() {
            break why;
        }
        assert!(Instant::now() < deadline, "{now:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        why.contains("uncommitted prepared transactions") && why.contains("half-done"),
        "{why}"
    );
    let now = lab.running(&clone.identifier).await;
    assert_eq!(now.engine_version, clone.engine_version);
    lab.sql(&now, PASSWORD, "ROLLBACK PREPARED 'half-done'").await.unwrap();
}

/// The groups that came with the upgrade are in effect only after one more reboot.
async fn reboot(lab: &Lab, clone: &Cluster) {
    let wal_level = || lab.sql(clone, PASSWORD, "SHOW wal_level");
    assert_eq!(wal_level().await.unwrap().as_deref(), Some("replica"));
    for _ in 0..2 {
        lab.rds.reboot_instance("shop-prod-18-1").await.unwrap();
    }
    lab.running("shop-prod-18").await;
    assert_eq!(wal_level().await.unwrap().as_deref(), Some("logical"));
    assert_eq!(
        lab.sql(clone, PASSWORD, "SHOW work_mem").await.unwrap().as_deref(),
        Some("8MB"),
        "carried over"
    );
}

async fn what_is_not_ours_stays(lab: &Lab) {
    let source = lab.rds.cluster("shop-prod").await.unwrap().unwrap();
    assert!(
        lab.rds
            .delete_cluster(&source, OURS)
            .await
            .unwrap_err()
            .to_string()
            .contains(OWNER)
    );
    assert!(
        lab.rds
            .delete_cluster_parameter_group("shop", OURS)
            .await
            .unwrap_err()
            .to_string()
            .contains("not ours")
    );
    lab.rds.add_tags(&source.arn, &lab.tags).await.unwrap();
    assert_eq!(lab.rds.tags(&source.arn).await.unwrap(), lab.tags);
    lab.rds
        .remove_tags(&source.arn, &[OWNER, "pgupgrade.dev/attempt"])
        .await
        .unwrap();
    assert_eq!(
        lab.rds.cluster("shop-prod").await.unwrap().unwrap().tags,
        BTreeMap::new()
    );
    assert_eq!(source.status, "available");
}
