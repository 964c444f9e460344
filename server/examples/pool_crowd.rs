//! Many members of a pool in one process, each with sockets and a thread of its own: company for
//! an agent whose own load is to be measured.
//!
//! ```text
//! cargo run --release -p server --example pool_crowd -- 999 127.0.0.1:7946
//! ```
//!
//! They join whoever is there, and end with standard input. `conclave members` of that agent says
//! when all have come; then `/proc/PID/stat` before and after a while gives its load.
#![allow(clippy::unwrap_used, reason = "an example may end where it cannot go on")]

use std::io::Read as _;

use server::gossip::{Pool, Settings};
use tokio::sync::watch;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(999);
    let place = arguments.next().unwrap_or_else(|| "127.0.0.1:7946".to_owned());
    let (stop, stopping) = watch::channel(false);
    let crowd: Vec<Pool> = (0..count)
        .map(|number| {
            let mut settings = Settings::single(&format!("crowd-{number:04}"));
            settings.listen.set_port(0);
            settings.join = vec![place.clone()];
            Pool::start(settings, stopping.clone()).unwrap()
        })
        .collect();
    println!("{count} members have started");
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing).unwrap();
    // The whole process goes: thousands of farewells at once are nobody's case.
    drop((crowd, stop));
}
