//! The HTTP server.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;

use crate::actions;
use crate::lab::Lab;
use crate::protocol::{self, Request};
use crate::state::identifier;

pub(crate) fn router(lab: Arc<Lab>) -> Router {
    Router::new().route("/", post(serve)).with_state(lab)
}

async fn serve(State(lab): State<Arc<Lab>>, body: Bytes) -> Response {
    let request = Request::parse(&body);
    let id = identifier::uuid();
    let action = request.text("Action").unwrap_or_default().to_owned();
    let (status, document) = match actions::perform(&lab, &action, &request).await {
        Ok(result) => {
            tracing::debug!(action, "answered");
            (StatusCode::OK, protocol::answer(&action, result, &id))
        }
        Err(fault) => {
            tracing::info!(action, code = fault.code, message = fault.message, "refused");
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, protocol::refusal(&fault, &id))
        }
    };
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/xml"),
        ("x-amzn-requestid", id.as_str()),
    ];
    (status, headers, document).into_response()
}
