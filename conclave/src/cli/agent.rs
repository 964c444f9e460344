//! `conclave agent`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{self, Settings};
use crate::failure::{Failure, Result};
use crate::logging;
use crate::serve::{self, Leash};

/// A server: the real thing.
///
/// Each setting is a flag, a key of the same name in the TOML file, and a variable of the
/// environment, such as CONCLAVE_DATA_DIR; a flag counts first, then the environment, then the
/// file.
///
/// Examples:
///
///   conclave agent --server --data-dir /var/lib/conclave
///   conclave agent --config /etc/conclave.toml
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
            return Err(Failure::usage(
                "an agent that is no server has nothing to do in this version; add --server",
            ));
        }
        if settings.data_dir.is_none() {
            return Err(Failure::usage(
                "an agent needs --data-dir DIR for its log and state; `conclave dev` runs without",
            ));
        }
        logging::start(settings.log.unwrap_or_default());
        let mut config = config::build(settings)?;
        // Others may join one that is alone.
        config.expects_peers = true;
        let (name, client) = (config.name.clone(), config.listen_client);
        let leash = if self.exit_with_stdin { Leash::Stdin } else { Leash::None };
        serve::run(config, leash, || {
            tracing::info!(%name, %client, "ready");
            Ok(())
        })
    }
}
