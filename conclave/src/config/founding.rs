//! The settings of a server that meets others in the pool.

use std::time::Duration;

use clap::Args;
use server::{Config, InitialMember};

use super::value::{address, duration, expect};
use crate::failure::{Failure, Result};

/// What may be set. `None` leaves it to the next layer.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Founding {
    /// Found the consensus group with the first N servers that meet in the pool, or be added to
    /// the one that is there, in the place of --initial-cluster; all give the same number, 1 to 9.
    /// Without meaning once there is a data directory of a member.
    #[arg(long, value_name = "N", value_parser = expect)]
    pub(crate) bootstrap_expect: Option<usize>,
    /// Where the other members reach this one [default: that of --listen-peer].
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(crate) advertise_peer: Option<String>,
    /// The leader removes members that were in the pool and have been gone for so long, while
    /// enough others answer [default: 72h].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) dead_server_after: Option<Duration>,
}

impl Founding {
    /// These settings, and those of `below` where these say nothing.
    pub(super) fn over(self, below: Founding) -> Founding {
        Founding {
            bootstrap_expect: self.bootstrap_expect.or(below.bootstrap_expect),
            advertise_peer: self.advertise_peer.or(below.advertise_peer),
            dead_server_after: self.dead_server_after.or(below.dead_server_after),
        }
    }

    /// Whether this server meets others in the pool, and so has to be in one.
    pub(crate) const fn is_asked_for(&self) -> bool {
        self.bootstrap_expect.is_some()
    }

    /// Puts these settings into a server's configuration. `listed`: its members were named.
    pub(super) fn fill(self, config: &mut Config, listed: bool) -> Result {
        let refuse = |text: &str| Err(Failure::usage(text));
        if listed && (self.bootstrap_expect.is_some() || self.advertise_peer.is_some()) {
            return refuse(
                "--initial-cluster names the members, --bootstrap-expect lets them find each \
                 other, at --advertise-peer: give one or the other",
            );
        }
        if let Some(peer) = self.advertise_peer {
            config.initial_cluster = vec![InitialMember { name: config.name.clone(), peer }];
        }
        if self.bootstrap_expect.is_some() {
            if config.join {
                return refuse(
                    "--bootstrap-expect finds out whether the cluster is there already: leave \
                     --initial-cluster-state out",
                );
            }
            if self.bootstrap_expect != Some(1) && config.data_dir.is_none() {
                return refuse("--bootstrap-expect needs --data-dir, where the pledge is kept");
            }
            let host = config.own_address();
            if host.starts_with("0.0.0.0:") || host.starts_with("[::]:") {
                return refuse(
                    "--listen-peer is no address that others can reach: say with --advertise-peer \
                     where this server is reached",
                );
            }
        }
        config.bootstrap_expect = self.bootstrap_expect;
        if let Some(after) = self.dead_server_after {
            if after.is_zero() {
                return refuse("--dead-server-after must be longer than nothing");
            }
            config.dead_server_after = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(founding: Founding, listed: bool) -> Result<Config> {
        let mut config = Config::single("n1");
        config.data_dir = Some("/d".into());
        founding.fill(&mut config, listed)?;
        Ok(config)
    }

    #[test]
    fn a_server_is_reached_where_it_says() {
        let advertise_peer = Some("10.0.0.1:2380".to_owned());
        let founding =
            Founding { bootstrap_expect: Some(3), advertise_peer, ..Founding::default() };
        let config = fill(founding.clone(), false).unwrap();
        assert_eq!(config.own_address(), "10.0.0.1:2380");
        assert_eq!(config.bootstrap_expect, Some(3));
        let refused = fill(founding, true).unwrap_err();
        assert!(refused.text().contains("one or the other"), "{}", refused.text());
    }

    #[test]
    fn an_address_that_nobody_reaches_is_refused() {
        let mut config = Config::single("n1");
        config.data_dir = Some("/d".into());
        config.initial_cluster[0].peer = "0.0.0.0:2380".to_owned();
        let founding = Founding { bootstrap_expect: Some(3), ..Founding::default() };
        let refused = founding.fill(&mut config, false).unwrap_err();
        assert!(refused.text().contains("--advertise-peer"), "{}", refused.text());
    }
}
