//! Kubeconfig files.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::Result;
use crate::pki::write_secret;

/// Writes a kubeconfig that needs no other file: server, authority and token are in it. It is JSON, which is YAML too.
pub(crate) fn write(path: &Path, server: &str, ca_pem: &str, namespace: &str, token: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{ "name": "lab", "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) } }],
        "users": [{ "name": "lab", "user": { "token": token } }],
        "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": "lab", "namespace": namespace } }],
    });
    write_secret(path, &format!("{config:#}\n"))
}
