//! `conclave bench lease`.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use client::Client;
use client::etcdserverpb::PutRequest;

use super::load::Load;
use super::worker::{self, Answer};
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::config::duration;
use crate::failure::{Failure, Result};

/// Grant leases that all end in the same second, and measure the grants.
///
/// Each lives for what is left of --ends-in when it is granted. With --attach, each has a key of
/// its own, so that its end is a write.
///
/// Examples:
///
///   conclave bench lease --total 100000 --clients 64 --ends-in 60s
///   conclave bench lease --total 1000 --ends-in 10s --attach
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Lease {
    /// When they end, from the start of the run.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    ends_in: Duration,
    /// Put a key with each.
    #[arg(long)]
    attach: bool,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What every grant of a run needs.
struct Grants {
    client: Client,
    end: Instant,
    attach: bool,
    key_prefix: String,
}

impl Lease {
    pub(crate) fn run(&self) -> Result {
        let grants = Rc::new(Grants {
            client: self.load.client(&self.target)?,
            end: Instant::now() + self.ends_in,
            attach: self.attach,
            key_prefix: self.load.key_prefix.clone(),
        });
        let send = move |number| {
            let grants = Rc::clone(&grants);
            async move { grants.grant(number).await }
        };
        let report = block_on(worker::run(&self.load, "grant", send))?;
        super::put::print(&report, self.output, self.load.tolerate)
    }
}

impl Grants {
    async fn grant(&self, number: u64) -> Answer {
        let Some(ttl) = time_to_live(self.end.saturating_duration_since(Instant::now())) else {
            return Err(Failure::new("the leases end before all are granted: raise --ends-in"));
        };
        let lease = match self.client.lease_grant(ttl, 0).await {
            Ok(granted) => granted.id,
            Err(error) => return Ok(Err(error)),
        };
        if !self.attach {
            return Ok(Ok(()));
        }
        let key = Bytes::from(format!("{}{number:012}", self.key_prefix));
        let put = PutRequest { key, lease, ..PutRequest::default() };
        Ok(self.client.put_with(put).await.map(drop))
    }
}

/// Whole seconds, to the nearest; `None` when too few are left for a lease of its own choice:
/// etcd raises shorter ones.
fn time_to_live(left: Duration) -> Option<i64> {
    let seconds = (left + Duration::from_millis(500)).as_secs();
    i64::try_from(seconds).ok().filter(|seconds| *seconds > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_end_within_half_a_second_of_the_same_moment() {
        let of_ms = |ms| time_to_live(Duration::from_millis(ms));
        assert_eq!([of_ms(59_400), of_ms(59_500)], [Some(59), Some(60)]);
        assert_eq!([of_ms(2_600), of_ms(2_400), of_ms(0)], [Some(3), None, None]);
    }
}
