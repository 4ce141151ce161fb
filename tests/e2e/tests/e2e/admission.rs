//! What the API server itself does with a `PostgresUpgrade`: rules, defaults, frozen fields, and how it is listed.
mod freezing;
mod installation;
mod listing;
mod refusals;
mod server;
mod spec;
mod status;

use server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_enforces_the_definition() {
    let mut server = Server::start().await;
    spec::defaults(&mut server).await;
    spec::accepted(&mut server).await;
    refusals::refused(&mut server).await;
    freezing::desired_state(&mut server).await;
    freezing::always(&mut server).await;
    freezing::by_preflight(&mut server).await;
    freezing::by_cutover(&mut server).await;
    status::bounds(&mut server).await;
    status::conditions_have_keys(&mut server).await;
    listing::names_and_columns(&mut server).await;
    installation::renders_and_grants(&mut server).await;
    server.stop().await;
}
