//! The flags of every command that talks to the store: whom to ask, and for how long.

use std::future::Future;
use std::time::Duration;

use clap::Args;
use client::{Client, Options};

use crate::config::duration;
use crate::failure::{Failure, Result};

/// Whom to ask.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The servers' client addresses, separated by commas.
    #[arg(long, env = "CONCLAVE_ENDPOINTS", value_delimiter = ',', value_name = "HOST:PORT")]
    #[arg(default_value = "127.0.0.1:2379", help_heading = "Connection")]
    pub(crate) endpoints: Vec<String>,
    /// The longest time that one request may take, such as 500ms or 5s.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    #[arg(help_heading = "Connection")]
    pub(crate) timeout: Duration,
    /// Send writes without a request id, and none of them twice.
    #[arg(long, help_heading = "Connection")]
    pub(crate) no_exactly_once: bool,
}

impl Target {
    /// A client of these servers; it connects with its first request.
    pub(crate) fn client(&self) -> Result<Client> {
        Ok(Client::new(self.options(self.endpoints.clone()))?)
    }

    /// These settings, for a given list of endpoints.
    pub(crate) fn options(&self, endpoints: Vec<String>) -> Options {
        let mut options = Options::to(endpoints);
        options.connect_timeout = options.connect_timeout.min(self.timeout);
        options.request_timeout = self.timeout;
        options.exactly_once = !self.no_exactly_once;
        options
    }
}

/// Runs a command's future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(future)
}
