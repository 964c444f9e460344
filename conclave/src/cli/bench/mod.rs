//! `conclave bench`: throughput, latency, and the proof that nothing acknowledged was lost.

mod election;
mod gaps;
mod gossip;
mod history;
mod lease;
mod ledger;
mod load;
mod put;
mod range;
mod report;
mod samples;
mod verify;
mod worker;

use clap::Subcommand;

use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    Put(put::Put),
    Range(range::Range),
    Lease(lease::Lease),
    Verify(verify::Verify),
    Gossip(gossip::Gossip),
    Election(election::Election),
    #[command(hide = true)]
    Holder(election::Holder),
}

impl Bench {
    pub(crate) fn run(self) -> Result {
        match self {
            Bench::Put(put) => put.run(),
            Bench::Range(range) => range.run(),
            Bench::Lease(lease) => lease.run(),
            Bench::Verify(verify) => verify.run(),
            Bench::Gossip(gossip) => gossip.run(),
            Bench::Election(election) => election.run(),
            Bench::Holder(holder) => holder.run(),
        }
    }
}
