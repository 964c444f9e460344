//! `conclave agent`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{self, Settings};
use crate::failure::{Failure, Result};
use crate::logging;
use crate::preflight;
use crate::serve::{self, Leash};

/// An agent: a member of the pool, and with --server one of the consensus group, too.
///
/// A server takes part in the pool when --listen-gossip, --join or --bootstrap-expect is given.
///
/// Each setting is a flag, a key of the same name in the TOML file, and a variable of the
/// environment, such as CONCLAVE_DATA_DIR; a flag counts first, then the environment, then the
/// file.
///
/// Examples:
///
///   conclave agent --server --data-dir /var/lib/conclave
///   conclave agent --name web-1 --listen-gossip 10.0.0.7:7946 --join 10.0.0.1:7946 --tag role=web
///   conclave agent --config /etc/conclave.toml
///   conclave agent --server --name n1 --data-dir n1 --listen-peer 10.0.0.1:2380 \
///     --listen-gossip 10.0.0.1:7946 --join 10.0.0.2:7946,10.0.0.3:7946 --bootstrap-expect 3
///   conclave agent --server --name n1 --data-dir n1 --listen-peer 10.0.0.1:2380 \
///     --initial-cluster n1=10.0.0.1:2380,n2=10.0.0.2:2380,n3=10.0.0.3:2380
///   conclave agent --server --name n4 --data-dir n4 --listen-peer 10.0.0.4:2380 \
///     --initial-cluster n1=10.0.0.1:2380,n4=10.0.0.4:2380 \
///     --initial-cluster-state existing
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Agent {
    /// A TOML file with settings.
    #[arg(long, env = "CONCLAVE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// End when standard input does: a parent that dies takes this process along.
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

impl Agent {
    pub(crate) fn run(self) -> Result {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let settings = config::collect(self.settings, environment, self.config.as_deref())?;
        if settings.server != Some(true) {
            preflight::small_pages();
        }
        logging::start(settings.log.unwrap_or_default());
        let leash = if self.exit_with_stdin { Leash::Stdin } else { Leash::None };
        if settings.server == Some(true) {
            return serve_with_server(settings, leash);
        }
        if settings.founding.is_asked_for() {
            return Err(Failure::usage(
                "--bootstrap-expect is for servers: give --server too, or leave it out",
            ));
        }
        let listen_http = settings.gossip.http();
        let pool = settings.gossip.pool(settings.name, settings.data_dir)?;
        let (name, gossip) = (pool.name.clone(), pool.listen);
        let agent = server::Agent { server: None, pool: Some(pool), listen_http };
        serve::run(agent, leash, || {
            tracing::info!(%name, %gossip, http = %listen_http, "ready");
            Ok(())
        })
    }
}

fn serve_with_server(settings: Settings, leash: Leash) -> Result {
    if settings.data_dir.is_none() {
        return Err(Failure::usage(
            "a server needs --data-dir DIR for its log and state; `conclave dev` runs without",
        ));
    }
    let mut settings = settings;
    let meets = settings.founding.is_asked_for();
    if meets {
        // In a pool, names have to differ.
        settings.name.get_or_insert_with(config::machine);
    }
    let (gossip, name) = (settings.gossip.clone(), settings.name.clone());
    let listen_http = gossip.http();
    let mut config = config::build(settings)?;
    // Others may join one that is alone.
    config.expects_peers = true;
    let pool = match gossip.is_asked_for() || meets {
        true => Some(gossip.pool(name, config.data_dir.clone())?),
        false => None,
    };
    let (name, client) = (config.name.clone(), config.listen_client);
    serve::run(server::Agent { server: Some(config), pool, listen_http }, leash, || {
        tracing::info!(%name, %client, "ready");
        Ok(())
    })
}
