//! `/healthz`, `/readyz` and `/metrics`.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::{Router, extract::State, http::StatusCode, http::header, response::IntoResponse, routing::get};
use tokio::net::TcpListener;

use crate::error::Error;
use crate::metrics::Metrics;

/// What the endpoints tell.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// The process talks to the API server and stands ready to lead, or leads.
    pub ready: Arc<AtomicBool>,
    /// The registry behind `/metrics`.
    pub metrics: Arc<Metrics>,
}

/// Serves the endpoints until the process ends.
///
/// # Errors
/// Where the address can't be bound.
pub async fn serve(address: SocketAddr, health: Health) -> Result<(), Error> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    axum::serve(listener, router)
        .await
        .map_err(|source| Error::Listen { address, source })
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if health.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        health.metrics.text(),
    )
}
