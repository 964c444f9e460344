//! `conclave bench put`.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use clap::Args;
use client::Client;

use super::ledger::{Entry, Ledger, Tag};
use super::load::Load;
use super::report::Report;
use super::worker::{self, Answer};
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::{Failure, Result};

/// Put values that are all different, and measure.
///
/// Examples:
///
///   conclave bench put --clients 64 --duration 10s
///   conclave bench put --endpoints a:2379,b:2379 --duration 60s --ledger writes.txt --tolerate
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Put {
    /// The length of a value in bytes; at least that of the tag that makes it unique.
    #[arg(long, default_value_t = 256, value_name = "BYTES")]
    value_size: usize,
    /// Note every write and every acknowledgement in this file, for `bench verify`.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What every put of a run needs.
struct Puts {
    client: Client,
    load: Load,
    run: u64,
    value_size: usize,
    ledger: Option<RefCell<Ledger>>,
}

impl Put {
    pub(crate) fn run(&self) -> Result {
        if self.load.key_prefix.contains(char::is_whitespace) {
            return Err(Failure::usage("--key-prefix must not contain white space"));
        }
        let puts = Rc::new(Puts {
            client: self.load.client(&self.target)?,
            load: self.load.clone(),
            run: RandomState::new().hash_one(std::process::id()),
            value_size: self.value_size,
            ledger: self.ledger.as_deref().map(Ledger::open).transpose()?.map(RefCell::new),
        });
        let send = move |number| {
            let puts = Rc::clone(&puts);
            async move { puts.put(number).await }
        };
        let report = block_on(worker::run(&self.load, "put", send))?;
        print(&report, self.output, self.load.tolerate)
    }
}

impl Puts {
    async fn put(&self, number: u64) -> Answer {
        let tag = Tag { run: self.run, number };
        let key = self.load.key(number);
        let value = Bytes::from(tag.value(self.value_size));
        self.note(&key, |key| Entry::Try { key, tag })?;
        let response = match self.client.put(key.clone(), value).await {
            Ok(response) => response,
            Err(error) => return Ok(Err(error)),
        };
        let revision = response.header.map_or(0, |header| header.revision);
        self.note(&key, |key| Entry::Ack { key, tag, revision })?;
        Ok(Ok(()))
    }

    fn note(&self, key: &Bytes, entry: impl FnOnce(String) -> Entry) -> Result {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let key = String::from_utf8_lossy(key).into_owned();
        ledger.borrow_mut().append(&entry(key))
    }
}

/// Prints what a run came to.
pub(crate) fn print(report: &Report, output: Output, gaps: bool) -> Result {
    match output.format {
        Format::Json => output::json(&report.json()),
        Format::Plain => output::bytes(report.text(gaps).as_bytes()),
    }
}
