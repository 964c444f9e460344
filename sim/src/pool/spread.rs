//! How fast a message reaches everybody, by gossip alone.
//!
//! A member says something; whoever hears it for the first time says it again, as Serf's agents do.
//! The figure beside it is that of the convergence simulator on Serf's site: the share
//! `x(t) = 1 / (1 + (n + 1)·e^(−t·fanout·(1 − loss)/2))` that has heard after `t` periods.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use protocol::Time;
use serde::Serialize;

use super::{MILLION, Pool};
use crate::lab::sample::{Sample, Summary};

/// The share of the members that counts as everybody.
const NEARLY_ALL: f64 = 0.9999;
/// For how long a message is followed.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a message weighs: an event of Serf's with a short name and payload.
const BYTES: usize = 100;

/// How fast messages went round.
#[derive(Clone, Debug, Serialize)]
pub struct Spread {
    /// How many members there were.
    pub members: usize,
    /// How many messages.
    pub messages: usize,
    /// Packets lost, in percent.
    pub loss: f64,
    /// Milliseconds until half of the members had heard.
    pub half: Summary,
    /// … until 99.99 % had.
    pub nearly_all: Summary,
    /// … until all had.
    pub all: Summary,
    /// Milliseconds until 99.99 % have, as Serf's convergence simulator says.
    pub published: f64,
}

/// Lets random members say so many things, one after the other.
#[must_use]
pub fn measure(pool: &mut Pool, messages: usize) -> Spread {
    let members = pool.living().count();
    let rank = |share: f64| {
        // The least whole number that is not below.
        (1..=members).find(|&rank| rank as f64 >= share * members as f64).unwrap_or(members)
    };
    let ranks = [rank(0.5), rank(NEARLY_ALL), members];
    let mut seen: Vec<[Option<Duration>; 3]> = Vec::new();
    for number in 0..messages {
        let times = say(pool, number, members);
        seen.push(ranks.map(|rank| times.get(rank - 1).copied()));
        if number + 1 < messages {
            // What is still on the way belongs to no other message.
            pool.run(Duration::from_secs(3));
        }
    }
    let summary =
        |which: usize| seen.iter().map(|times| times[which]).collect::<Sample>().summary();
    let loss = pool.network.loss as f64 / MILLION as f64;
    let config = &pool.options.config;
    let rate = config.gossip_nodes as f64 * (1.0 - loss) / 2.0;
    let periods = ((members + 1) as f64 / (1.0 / NEARLY_ALL - 1.0)).ln() / rate;
    Spread {
        members,
        messages,
        loss: loss * 100.0,
        half: summary(0),
        nearly_all: summary(1),
        all: summary(2),
        published: periods * config.gossip_interval.as_secs_f64() * 1000.0,
    }
}

/// When the members have heard, in order, since it was said.
fn say(pool: &mut Pool, number: usize, members: usize) -> Vec<Duration> {
    let begun: Time = pool.now();
    let mut message = format!("{number} {}", begun.0).into_bytes();
    message.resize(BYTES, b'.');
    pool.take_heard();
    let by = pool.below(pool.len());
    pool.say(by, Bytes::from(message));
    let mut times = Vec::with_capacity(members);
    pool.run_until(PATIENCE, Duration::from_millis(50), |pool| {
        times.extend(pool.take_heard().into_iter().map(|heard| heard.at - begun));
        times.len() >= members
    });
    times
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |millis: Option<f64>| {
            millis.map_or_else(|| "never".to_owned(), |millis| format!("{:.2} s", millis / 1000.0))
        };
        writeln!(f, "{} messages to {} members:", self.messages, self.members)?;
        for (what, summary) in
            [("half", &self.half), ("99.99 %", &self.nearly_all), ("all", &self.all)]
        {
            let (mean, max) = (seconds(summary.mean), seconds(summary.max));
            let open = summary.open;
            let missed = if open > 0 { format!("; {open} never") } else { String::new() };
            writeln!(f, "  {what:<7} after {mean} (mean), {max} (slowest){missed}")?;
        }
        writeln!(
            f,
            "  Serf's convergence simulator: 99.99 % after {:.2} s",
            self.published / 1000.0
        )
    }
}
