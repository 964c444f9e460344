//! `conclave kv`: keys.

mod del;
mod get;
mod interval;
mod print;
mod put;
mod txn;
mod txn_language;
mod watch;

use clap::Subcommand;

use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Kv {
    Get(get::Get),
    Put(put::Put),
    Del(del::Del),
    Watch(watch::Watch),
    Txn(txn::Txn),
}

impl Kv {
    pub(crate) fn run(self) -> Result {
        match self {
            Kv::Get(get) => get.run(),
            Kv::Put(put) => put.run(),
            Kv::Del(del) => del.run(),
            Kv::Watch(watch) => watch.run(),
            Kv::Txn(txn) => txn.run(),
        }
    }
}
