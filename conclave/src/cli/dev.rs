//! `conclave dev`.

use std::net::SocketAddr;

use clap::Args;
use server::DiskReserve;
use server::gossip::Settings as Pool;

use super::output;
use crate::config::{self, Gossip, Settings};
use crate::failure::{Failure, Result};
use crate::logging::{self, LogLevel};
use crate::preflight;
use crate::serve::{self, Leash};

/// How often ports that nobody has chosen are chosen anew, when somebody else is faster.
const ATTEMPTS: usize = 5;

/// One server on this machine, in memory unless --data-dir is given: for trying things out.
///
/// Prints where it listens and four commands to try. It founds a group of its own, alone in a pool
/// unless --join names one, on ports that are free where nobody has chosen any. Ctrl-C ends it.
///
/// Examples:
///
///   conclave dev
///   conclave dev --data-dir ./state --listen-client 127.0.0.1:4001
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Dev {
    #[command(flatten)]
    settings: Settings,
}

impl Dev {
    pub(crate) fn run(self) -> Result {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let mut settings = config::collect(self.settings, environment, None)?;
        settings.name.get_or_insert_with(|| "dev".to_owned());
        // A toy on a developer's machine, whose disk may well be fuller than a server's should be.
        settings.disk_reserved.get_or_insert(DiskReserve::Least);
        logging::start(settings.log.unwrap_or(LogLevel::Warn));
        let gossip = settings.gossip.clone();
        let mut config = config::build(settings)?;
        let expect = *config.bootstrap_expect.get_or_insert(1);
        if config.initial_cluster.len() > 1 || expect > 1 {
            let text = "dev is one server; `conclave local` starts several, `agent` joins others";
            return Err(Failure::usage(text));
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (pool, listen_http) = part(&config, &gossip)?;
            let chosen = gossip.listen_gossip.is_some();
            let welcome = welcome(&config, pool.listen, chosen, listen_http);
            let server = Some(config.clone());
            let agent = server::Agent { server, pool: Some(pool), listen_http };
            let ended = serve::run(agent, Leash::None, || output::bytes(welcome.as_bytes()));
            match ended {
                Err(failure) if attempts < ATTEMPTS && is_about_a_port(&failure, &gossip) => {}
                ended => return ended,
            }
        }
    }
}

/// Its part in a pool, on the ports that were chosen, or on some that are free.
fn part(config: &server::Config, gossip: &Gossip) -> Result<(Pool, SocketAddr)> {
    let mut listen_http = gossip.http();
    let mut pool = gossip.clone().pool(Some(config.name.clone()), config.data_dir.clone())?;
    if gossip.listen_gossip.is_none() {
        pool.listen = preflight::free(pool.listen)?;
    }
    if gossip.listen_http.is_none() {
        listen_http = preflight::free(listen_http)?;
    }
    Ok((pool, listen_http))
}

/// Whether somebody else took a port that nobody has chosen, between the look and the start.
fn is_about_a_port(failure: &Failure, gossip: &Gossip) -> bool {
    let chosen = [
        ("--listen-gossip", gossip.listen_gossip.is_some()),
        ("--listen-http", gossip.listen_http.is_some()),
    ];
    chosen.iter().any(|(flag, chosen)| !chosen && failure.text().contains(flag))
}

/// What a stranger needs to know: where it listens, what it forgets, what to try.
/// `chosen`: somebody said where to gossip.
fn welcome(config: &server::Config, gossip: SocketAddr, chosen: bool, http: SocketAddr) -> String {
    let client = config.listen_client;
    let state = match &config.data_dir {
        Some(path) => format!("kept in {}", path.display()),
        None => "in memory, gone when this ends (--data-dir D keeps it)".to_owned(),
    };
    let usual = Pool::single("").listen;
    let moved = match chosen || gossip == usual {
        true => String::new(),
        false => format!(" ({} is taken: by a dev that is still ending?)", usual.port()),
    };
    // The commands find the default addresses by themselves.
    let unless_default = |flag: &str, address: SocketAddr, default: SocketAddr| {
        if address == default { String::new() } else { format!(" {flag} {address}") }
    };
    let flag = unless_default("--endpoints", client, server::Config::single("").listen_client);
    let agent = unless_default("--http", http, Gossip::default().http());
    format!(
        "conclave {version} is ready\n\n  \
         etcd v3 API   http://{client}\n  \
         health        http://{client}/health\n  \
         metrics       http://{client}/metrics\n  \
         gossip        {gossip}{moved}\n  \
         agent API     http://{http}/v1/conclave/members\n  \
         state         {state}\n\n\
         Try, in another terminal:\n\n  \
         conclave kv put greeting hello{flag}\n  \
         conclave kv watch greeting --rev 1{flag}\n  \
         conclave members{agent}\n  \
         etcdctl --endpoints {client} get greeting\n\n\
         Ctrl-C ends it.\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_names_the_addresses_and_four_commands() {
        let mut config = server::Config::single("dev");
        let gossip = "127.0.0.1:7946".parse().unwrap();
        let http = "127.0.0.1:8500".parse().unwrap();
        let text = welcome(&config, gossip, false, http);
        assert!(text.contains("http://127.0.0.1:2379/health"));
        assert!(text.contains("gossip        127.0.0.1:7946\n"));
        assert!(text.contains("conclave kv put greeting hello\n"));
        let commands = text
            .lines()
            .filter(|line| line.starts_with("  conclave ") || line.starts_with("  etcdctl"));
        assert_eq!(commands.count(), 4);
        assert!(text.contains("  conclave members\n"));
        config.listen_client = "127.0.0.1:4001".parse().unwrap();
        let text = welcome(&config, gossip, false, "127.0.0.1:4002".parse().unwrap());
        assert!(text.contains("  conclave members --http 127.0.0.1:4002\n"));
        assert!(text.contains("conclave kv put greeting hello --endpoints 127.0.0.1:4001\n"));
        let elsewhere = "127.0.0.1:4003".parse().unwrap();
        assert!(welcome(&config, elsewhere, false, http).contains("127.0.0.1:4003 (7946 is taken"));
        assert!(welcome(&config, elsewhere, true, http).contains("127.0.0.1:4003\n"));
    }
}
