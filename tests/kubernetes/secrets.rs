//! Secrets are rewritten in place; records live and go.
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use pgupgrade::kubernetes::connections;
use pgupgrade::kubernetes::secrets::{self, BundleKind, records};
use serde_json::json;

use crate::support::{Space, create_secret, endpoints};

pub async fn a_plan_changes_its_keys_only_and_only_what_was_read(space: &Space) {
    let text = json!({ "URL": "postgres://u:p%40@old.example/s?a=b", "OTHER": "kept\n", "HOST": "old.example" });
    create_secret(space, "shop-db", text).await;
    let (old, new) = (endpoints("old.example"), endpoints("new.example"));
    let before = secrets::read(&space.client, &space.name, "shop-db").await.unwrap();
    let plan = connections::plan(&secrets::data(&before), &[], &old, &new).unwrap();
    let after = secrets::apply(&space.client, &space.name, &before, &plan)
        .await
        .unwrap();
    let value = |key: &str| secrets::text(&after, key).unwrap();
    assert_eq!(value("URL"), "postgres://u:p%40@new.example/s?a=b");
    assert_eq!(
        (value("HOST").as_str(), value("OTHER").as_str()),
        ("new.example", "kept\n")
    );

    let stale = secrets::apply(&space.client, &space.name, &before, &plan)
        .await
        .unwrap_err();
    assert!(stale.is_conflict(), "{stale}");
    let again = connections::plan(&secrets::data(&after), &[], &old, &new).unwrap();
    let unchanged = secrets::apply(&space.client, &space.name, &after, &again)
        .await
        .unwrap();
    assert_eq!(unchanged.resource_version(), after.resource_version());
}

pub async fn a_ca_bundle_comes_from_either_kind_of_object(space: &Space) {
    create_secret(space, "rds-ca", json!({ "ca.crt": "in a secret" })).await;
    let maps: Api<ConfigMap> = Api::namespaced(space.client.clone(), &space.name);
    let map =
        json!({ "metadata": { "name": "rds-ca" }, "data": { "ca.crt": "in a map" }, "binaryData": { "bin": "AAE=" } });
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap())
        .await
        .unwrap();
    let read = async |kind, name, key| secrets::ca_bundle(&space.client, &space.name, kind, name, key).await;
    assert_eq!(
        read(BundleKind::Secret, "rds-ca", "ca.crt").await.unwrap(),
        b"in a secret"
    );
    assert_eq!(
        read(BundleKind::ConfigMap, "rds-ca", "ca.crt").await.unwrap(),
        b"in a map"
    );
    assert_eq!(read(BundleKind::ConfigMap, "rds-ca", "bin").await.unwrap(), [0, 1]);
    let no_key = read(BundleKind::ConfigMap, "rds-ca", "ca.pem")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        no_key.contains("ConfigMap/rds-ca has no key ca.pem") && no_key.contains("ca.crt"),
        "{no_key}"
    );
    let no_object = read(BundleKind::ConfigMap, "gone", "ca.crt")
        .await
        .unwrap_err()
        .to_string();
    assert!(no_object.contains("ConfigMap/gone does not exist"), "{no_object}");
}

pub async fn a_record_grows_and_is_forgotten(space: &Space) {
    let (client, name) = (&space.client, space.name.as_str());
    let content = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    assert_eq!(records::read(client, name, "u1").await.unwrap(), None);
    records::write(client, name, "u1", &content(&[("password", "a"), ("owner", "b")]))
        .await
        .unwrap();
    records::write(client, name, "u1", &content(&[("password", "c"), ("old", "d")]))
        .await
        .unwrap();
    let all = content(&[("old", "d"), ("owner", "b"), ("password", "c")]);
    assert_eq!(records::read(client, name, "u1").await.unwrap(), Some(all));
    let secret = secrets::read(client, name, &records::name("u1")).await.unwrap();
    assert_eq!(secret.labels()["pgupgrade.dev/uid"], "u1");
    records::delete(client, name, "u1").await.unwrap();
    records::delete(client, name, "u1").await.unwrap();
    assert_eq!(records::read(client, name, "u1").await.unwrap(), None);
}
