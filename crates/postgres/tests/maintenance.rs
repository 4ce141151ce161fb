//! Statistics, VACUUM and materialized views.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::maintenance;
use support::Side;

async fn what_lacks_statistics_gets_them(major: u16) {
    let side = Side::start_with(major, &[("autovacuum", "off")]).await;
    side.run(include_str!("support/statistics.sql")).await;
    let session = side.session(Profile::Long).await;
    let lacking = async || {
        let tables = maintenance::without_statistics(&session).await.unwrap();
        tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>()
    };
    let all = lacking().await;
    for table in ["keyed", "part", "part_1", "part_2", "extended", "indexed", "small_view"] {
        assert!(all.iter().any(|name| name == table), "{table} in {all:?}");
    }
    assert_eq!(all.last().unwrap(), "keyed", "the largest comes last");
    assert!(maintenance::analyze(&session).await.unwrap() >= 7);
    assert_eq!(lacking().await, Vec::<String>::new());
    assert_eq!(maintenance::analyze(&session).await.unwrap(), 0);

    for (statement, table) in [
        ("ALTER TABLE s.keyed ADD COLUMN late int DEFAULT 1", "keyed"),
        ("CREATE INDEX ON s.indexed ((a * 2))", "indexed"),
        (
            "CREATE STATISTICS s.late (dependencies) ON a, b FROM s.extended",
            "extended",
        ),
    ] {
        side.run(statement).await;
        assert_eq!(lacking().await, [table], "{statement}");
        assert_eq!(maintenance::analyze(&session).await.unwrap(), 1);
    }
    let vacuumed = maintenance::vacuum(&session).await.unwrap();
    assert!(vacuumed >= 7, "{vacuumed}");
    let done = "SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'keyed' AND vacuum_count = 1";
    support::eventually("the vacuum is counted", async || side.count(done).await == 1).await;
}

on_versions!(what_lacks_statistics_gets_them: statistics_on_15 = 15, statistics_on_17 = 17, statistics_on_18 = 18);

#[tokio::test]
async fn views_are_refreshed_in_the_order_in_which_they_build_upon_each_other() {
    let side = Side::start(17).await;
    side.run(include_str!("support/views.sql")).await;
    let session = side.session(Profile::Long).await;
    side.run("INSERT INTO s.keyed VALUES (1), (2), (3)").await;
    assert_eq!(maintenance::refresh_materialized_views(&session).await.unwrap(), 2);
    for view in ["z_first", "a_second"] {
        assert_eq!(side.count(&format!("SELECT n FROM s.{view}")).await, 3, "{view}");
    }
    let populated = "SELECT count(*) FROM pg_class WHERE relname = 'empty' AND relispopulated";
    assert_eq!(side.count(populated).await, 0, "one that nobody has filled stays empty");
}
