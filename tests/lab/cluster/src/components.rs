//! The command lines of the cluster's components.

use std::path::Path;
use std::process::Command;

use crate::Programs;
use crate::pki::Pki;

/// The ports of one cluster, all on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) etcd_client: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) api_server: u16,
    pub(crate) kubelet: u16,
}

/// Only what workloads need. No node lifecycle controller: the one node is as alive as this cluster.
const CONTROLLERS: &str = "--controllers=deployment-controller,replicaset-controller,statefulset-controller,\
    job-controller,cronjob-controller,namespace-controller,garbage-collector-controller,serviceaccount-controller,\
    serviceaccount-token-controller,horizontal-pod-autoscaler-controller,disruption-controller,\
    endpointslice-controller,pod-garbage-collector-controller,root-ca-certificate-publisher-controller";

/// etcd without fsync: its data lives no longer than the cluster.
pub(crate) fn etcd(programs: &Programs, ports: Ports, data: &Path) -> Command {
    let client = format!("http://127.0.0.1:{}", ports.etcd_client);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut command = programs.command("etcd");
    command
        .arg("--name=lab")
        .arg(option("data-dir", data))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=lab={peer}"))
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    command
}

/// The API server with RBAC, speaking to the node agent by mutual TLS.
pub(crate) fn api_server(programs: &Programs, ports: Ports, pki: &Pki) -> Command {
    let mut command = programs.command("kube-apiserver");
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd_client))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .arg(format!("--secure-port={}", ports.api_server))
        .arg(option("tls-cert-file", &pki.path("apiserver.crt")))
        .arg(option("tls-private-key-file", &pki.path("apiserver.key")))
        .arg(option("token-auth-file", &pki.path("tokens.csv")))
        .arg("--authorization-mode=RBAC")
        .arg(option("service-account-key-file", &pki.path("service-account.pub")))
        .arg(option(
            "service-account-signing-key-file",
            &pki.path("service-account.key"),
        ))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg("--service-cluster-ip-range=10.96.0.0/24")
        .arg(option("kubelet-certificate-authority", &pki.path("ca.crt")))
        .arg(option("kubelet-client-certificate", &pki.path("kubelet-client.crt")))
        .arg(option("kubelet-client-key", &pki.path("kubelet-client.key")))
        .arg("--kubelet-preferred-address-types=InternalIP")
        .arg("--endpoint-reconciler-type=none")
        // It would taint the new node until a node lifecycle controller took the taint away.
        .arg("--disable-admission-plugins=TaintNodesByCondition");
    command
}

/// The controllers, each with a `ServiceAccount` of its own: without that most are forbidden their work.
pub(crate) fn controller_manager(programs: &Programs, pki: &Pki, kubeconfig: &Path) -> Command {
    let mut command = programs.command("kube-controller-manager");
    command
        .arg(option("kubeconfig", kubeconfig))
        .arg(option(
            "service-account-private-key-file",
            &pki.path("service-account.key"),
        ))
        .arg(option("root-ca-file", &pki.path("ca.crt")))
        .args([
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--secure-port=0",
        ])
        .arg(CONTROLLERS);
    command
}

/// The scheduler, which has one node to choose from.
pub(crate) fn scheduler(programs: &Programs, kubeconfig: &Path) -> Command {
    let mut command = programs.command("kube-scheduler");
    command
        .arg(option("kubeconfig", kubeconfig))
        .args(["--leader-elect=false", "--secure-port=0"]);
    command
}

/// The node agent of this crate's Go module.
pub(crate) fn node(programs: &Programs, ports: Ports, pki: &Pki, kubeconfig: &Path, pods: &Path) -> Command {
    let mut command = programs.command("node");
    command
        .arg(option("kubeconfig", kubeconfig))
        .arg(option("dir", pods))
        .arg(format!("--port={}", ports.kubelet))
        .arg(option("tls-cert-file", &pki.path("kubelet.crt")))
        .arg(option("tls-private-key-file", &pki.path("kubelet.key")))
        .arg(option("client-ca-file", &pki.path("ca.crt")));
    command
}

fn option(name: &str, path: &Path) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(format!("--{name}="));
    option.push(path);
    option
}
