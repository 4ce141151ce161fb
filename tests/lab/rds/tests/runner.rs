//! The program: what it leaves behind when it is killed, which is nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn killed_it_leaves_no_server_and_no_folder() {
    let parent = tempfile::tempdir().unwrap();
    // Servers run as another user when this runs as root.
    let folder = parent.path().join("d");
    let mut program = Command::new(env!("CARGO_BIN_EXE_lab-rds"))
        .args(["--state-delay", "10", "--dir"])
        .arg(&folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let address = url.trim().strip_prefix("http://").unwrap();
    let created = post(
        address,
        "Action=CreateDBCluster&DBClusterIdentifier=shop&Engine=aurora-postgresql&MasterUsername=master\
         &MasterUserPassword=first-secret!",
    );
    assert!(created.contains("<Status>creating</Status>"), "{created}");
    wait_for(address, "Action=DescribeDBClusters", "<Status>available</Status>");
    let instance = "Action=CreateDBInstance&DBInstanceIdentifier=shop-1&DBClusterIdentifier=shop\
                    &Engine=aurora-postgresql&DBInstanceClass=db.r6g.large";
    assert!(post(address, instance).contains("<DBInstanceStatus>creating</DBInstanceStatus>"));
    wait_for(
        address,
        "Action=DescribeDBInstances",
        "<DBInstanceStatus>available</DBInstanceStatus>",
    );
    let pid_file = std::fs::read_to_string(folder.join("v1/data/postmaster.pid")).unwrap();
    let server = Path::new("/proc").join(pid_file.lines().next().unwrap());
    assert!(server.exists());
    program.kill().unwrap();
    program.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.exists() || folder.exists() {
        assert!(
            Instant::now() < deadline,
            "{} or {} is left",
            server.display(),
            folder.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for(address: &str, request: &str, wanted: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = post(address, request);
        if answer.contains(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn post(address: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
