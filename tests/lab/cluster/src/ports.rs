//! Free ports on the loopback address.

use std::net::{Ipv4Addr, TcpListener};

use rand::Rng as _;

use crate::{Error, Result};

/// Below the range that the kernel gives to outgoing connections (32768 and up, `ip(7)`, `ip_local_port_range`), so that
/// no connection of another process takes a port between its choice and its use.
const RANGE: std::ops::Range<u16> = 20_000..32_000;
const ATTEMPTS: u32 = 1_000;

/// Chooses different ports on 127.0.0.1, all free at this moment.
pub(crate) fn free<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut random = rand::rng();
    for _ in 0..ATTEMPTS {
        if held.len() == N {
            break;
        }
        let port = random.random_range(RANGE);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
    ports.try_into().map_err(|_| Error::NoPort {
        first: RANGE.start,
        last: RANGE.end - 1,
        attempts: ATTEMPTS,
    })
}
