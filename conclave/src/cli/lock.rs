//! `conclave lock`.

use clap::Args;
use client::Mutex;

use super::hold::{self, Contender, Contest, Terms};
use super::output::Output;
use super::target::{Target, block_on};
use crate::failure::Result;

/// Run a command while holding a lock that one at a time can hold.
///
/// Waits until the lock is held. CMD finds its fencing token in CONCLAVE_FENCE, which grows with
/// each holder, and the key and the lease in CONCLAVE_KEY and CONCLAVE_LEASE. When the lock is
/// lost, or may soon be, CMD gets SIGTERM and, after its grace, SIGKILL; conclave then ends with 1,
/// and otherwise with CMD's exit code. Signals are passed on to CMD.
///
/// Whoever takes the same name with `etcdctl lock` is excluded, too.
///
/// Examples:
///
///   conclave lock backup -- pg_dump -f all.sql main
///   conclave lock deploy --ttl 5 -- sh -c 'deploy --fence "$CONCLAVE_FENCE"'
///   conclave lock maintenance
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Lock {
    /// The lock's name.
    #[arg(value_parser = hold::name)]
    name: String,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Lock {
    pub(crate) fn run(&self) -> Result {
        let mutex = Mutex::new(&self.target.client()?, &self.name)?;
        let contender = Contender {
            contest: Contest::Lock(mutex),
            what: format!("the lock {}", self.name),
            terms: &self.terms,
            output: self.output,
        };
        block_on(contender.run())
    }
}
