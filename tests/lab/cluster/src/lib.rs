//! A local Kubernetes cluster whose Pods are processes: a real etcd, kube-apiserver, kube-controller-manager and
//! kube-scheduler, and a node agent that runs each container's command on this machine.

mod cluster;
mod components;
mod error;
mod kubeconfig;
mod pki;
mod ports;
mod process;
mod program;

pub use cluster::Cluster;
pub use error::{Error, Result};
pub use program::Programs;
