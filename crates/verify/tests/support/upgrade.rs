//! A real upgrade.
use lab_postgres::{Binaries, Scratch, StopMode};

/// A copy of a server's blocks, upgraded by `pg_upgrade`; the server itself runs on. Roles have the passwords that they
/// have there.
pub async fn upgraded(original: &Scratch, major: u16) -> Scratch {
    let mut clone = Scratch::start(original.server().binaries().major()).await.unwrap();
    let target = Binaries::fetch(major).await.unwrap();
    let server = clone.server_mut();
    server.stop(StopMode::Fast).await.unwrap();
    let data = server.data_dir();
    std::fs::remove_dir_all(&data).unwrap();
    original.server().frozen_copy(&data).await.unwrap();
    server.start().await.unwrap();
    server.stop(StopMode::Fast).await.unwrap();
    let new = server.initialize(&target, "data.new").await.unwrap();
    let port = server.options().port;
    let arguments = [
        "--link".to_owned(),
        "--no-sync".to_owned(),
        format!("--old-bindir={}", server.binaries().bin_dir().display()),
        format!("--old-datadir={}", data.display()),
        format!("--new-datadir={}", new.display()),
        format!("--socketdir={}", server.socket_dir().display()),
        "--username=postgres".to_owned(),
        format!("--old-port={port}"),
        format!("--new-port={port}"),
    ];
    let folder = server.folder().to_owned();
    target.run("pg_upgrade", arguments.into(), &folder).await.unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&new, &data).unwrap();
    server.set_binaries(target);
    server.start().await.unwrap();
    clone
}
