//! A loopback address of its own for each cluster, so that endpoints look as on AWS.

use std::net::{Ipv4Addr, TcpListener};

use crate::protocol::Fault;

/// An address between 127.21.0.1 and 127.31.255.254 on which nothing listens at `port` and that is not in `taken`.
pub(crate) fn free(port: u16, taken: &[Ipv4Addr]) -> Result<Ipv4Addr, Fault> {
    for _ in 0..1000 {
        let address = Ipv4Addr::new(
            127,
            rand::random_range(21..=31),
            rand::random_range(0..=255),
            rand::random_range(1..=254),
        );
        if !taken.contains(&address) && TcpListener::bind((address, port)).is_ok() {
            return Ok(address);
        }
    }
    Err(Fault::internal(format!("no loopback address with a free port {port}")))
}
