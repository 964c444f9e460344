//! `conclave bench range`.

use std::rc::Rc;

use clap::Args;
use client::etcdserverpb::RangeRequest;

use super::load::Load;
use super::worker;
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Read one key at a time, and measure. Run `bench put` with the same keys first.
///
/// Examples:
///
///   conclave bench range --clients 64 --duration 10s
///   conclave bench range --clients 64 --serializable
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Range {
    /// Ask one member alone, without a round to the others.
    #[arg(long)]
    serializable: bool,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Range {
    pub(crate) fn run(&self) -> Result {
        let shared = Rc::new((self.load.client(&self.target)?, self.load.clone()));
        let serializable = self.serializable;
        let send = move |number| {
            let shared = Rc::clone(&shared);
            async move {
                let (client, load) = &*shared;
                let key = load.key(number);
                let request = RangeRequest { key, serializable, ..RangeRequest::default() };
                Ok(client.range(request).await.map(drop))
            }
        };
        let report = block_on(worker::run(&self.load, "read", send))?;
        super::put::print(&report, self.output, self.load.tolerate)
    }
}
