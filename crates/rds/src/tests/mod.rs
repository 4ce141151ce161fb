//! The SDK against bytes as RDS sends them, and against the local RDS.
mod answers;
mod aurora;
mod faults;
mod making;
mod reclaim;
mod refusal;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_rds::config::Credentials;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tokio::task::JoinHandle;

use crate::{Cluster, OWNER, Rds, loader};

const OURS: &str = "shop/shop/6b2f0c1e";

/// RDS at an address, with quick retries.
async fn rds_at(url: &str) -> Rds {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(5));
    Rds::load(
        loader(Some("us-east-1"))
            .endpoint_url(url)
            .credentials_provider(credentials)
            .retry_config(retries),
    )
    .await
}

#[derive(Default)]
struct Script {
    answers: VecDeque<(u16, String)>,
    requests: Vec<String>,
}

/// A server that gives recorded answers one after the other, and remembers the requests.
struct Recorded {
    rds: Rds,
    script: Arc<Mutex<Script>>,
    server: JoinHandle<()>,
}

impl Recorded {
    async fn start(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        let script = Arc::new(Mutex::new(Script {
            answers: answers.into_iter().collect(),
            requests: Vec::new(),
        }));
        let shared = script.clone();
        let answer = move |form: String| {
            let mut script = shared.lock().unwrap();
            script.requests.push(form);
            let (status, body) = script.answers.pop_front().expect("a request that was not expected");
            let answer = (
                StatusCode::from_u16(status).unwrap(),
                [(CONTENT_TYPE, "text/xml")],
                body,
            )
                .into_response();
            async move { answer }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            rds: rds_at(&url).await,
            script,
            server,
        }
    }

    /// The forms that were sent. Everything that was prepared must have been asked for.
    fn requests(&self) -> Vec<String> {
        let script = self.script.lock().unwrap();
        assert!(
            script.answers.is_empty(),
            "{} answers were never asked for",
            script.answers.len()
        );
        script.requests.clone()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A successful answer.
fn done(action: &str, result: &str) -> (u16, String) {
    let body = format!(
        "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>0f1c1c3a-0000-11f0-8000-000000000000</RequestId></ResponseMetadata></{action}Response>"
    );
    (200, body)
}

/// A refusal.
fn fault(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>0f1c1c3a-0000-11f0-8000-000000000000</RequestId></ErrorResponse>"
    );
    (status, body)
}

fn cluster_answer() -> (u16, String) {
    done("DescribeDBClusters", include_str!("cluster.xml"))
}

async fn source() -> Cluster {
    let recorded = Recorded::start([cluster_answer()]).await;
    recorded.rds.cluster("shop-prod").await.unwrap().unwrap()
}

fn tags(owner: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(OWNER.to_owned(), owner.to_owned())])
}

/// The value of a field in a form.
fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form.split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
