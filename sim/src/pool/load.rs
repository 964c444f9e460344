//! What a quiet pool costs: packets and bytes of each member, and exchanges beside them.

use std::fmt;
use std::time::Duration;

use protocol::swim::message::{NodeState, State};
use protocol::swim::wire::row_len;
use serde::Serialize;

use super::meter::Meter;
use super::{Pool, streams};

/// What a member of a quiet pool costs, a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Load {
    /// How many members there were.
    pub members: usize,
    /// For how many seconds.
    pub seconds: f64,
    /// Packets sent, on average.
    pub packets_out: f64,
    /// Packets received, on average.
    pub packets_in: f64,
    /// Bytes of packets sent, on average.
    pub bytes_out: f64,
    /// Bytes of packets received, on average.
    pub bytes_in: f64,
    /// Packets sent by the member that sent fewest and by the one that sent most.
    pub packets_out_between: (f64, f64),
    /// Packets received by the member that received fewest and by the one that received most.
    pub packets_in_between: (f64, f64),
    /// Bytes of exchanges sent, on average, before compression.
    pub exchanged_out: f64,
    /// What they should be: two tables in each period, one for an exchange that the member begins
    /// and one for the exchange that somebody begins with it.
    pub exchanged_in_theory: f64,
    /// Seconds between two exchanges that a member begins.
    pub exchange_period: f64,
    /// Bytes of a member in an exchange.
    pub row_bytes: usize,
    /// Members that somebody suspected meanwhile, once for each who did.
    pub suspicions: u64,
}

/// Lets a pool be for so long, and looks at what that cost.
#[must_use]
pub fn measure(pool: &mut Pool, time: Duration) -> Load {
    let look = |pool: &Pool| -> Vec<Meter> { (0..pool.len()).map(|at| *pool.meter(at)).collect() };
    let suspicions = |pool: &Pool| pool.counters().map(|counters| counters.suspicions).sum::<u64>();
    let (before, suspected) = (look(pool), suspicions(pool));
    pool.run(time);
    let suspected = suspicions(pool) - suspected;
    let each: Vec<Meter> =
        look(pool).iter().zip(&before).map(|(now, before)| now.since(before)).collect();
    let all = each.iter().fold(Meter::default(), |all, meter| all.plus(meter));
    let (members, seconds) = (pool.len(), time.as_secs_f64());
    let mean = |count: u64| count as f64 / seconds / members as f64;
    let between = |count: fn(&Meter) -> u64| {
        let least = each.iter().map(count).min().unwrap_or(0) as f64 / seconds;
        (least, each.iter().map(count).max().unwrap_or(0) as f64 / seconds)
    };
    let row = pool.facts(0).clone();
    let row = row_len(&NodeState { facts: row, incarnation: 1, state: State::Alive });
    let interval = pool.options.config.exchange_interval;
    let period = interval.map_or(0.0, |interval| streams::period(members, interval).as_secs_f64());
    Load {
        members,
        seconds,
        packets_out: mean(all.packets_out),
        packets_in: mean(all.packets_in),
        bytes_out: mean(all.bytes_out),
        bytes_in: mean(all.bytes_in),
        packets_out_between: between(|meter| meter.packets_out),
        packets_in_between: between(|meter| meter.packets_in),
        exchanged_out: mean(all.exchanged_out),
        exchanged_in_theory: if period > 0.0 { 2.0 * (row * members) as f64 / period } else { 0.0 },
        exchange_period: period,
        row_bytes: row,
        suspicions: suspected,
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = |(least, most): (f64, f64)| format!("{least:.2} to {most:.2}");
        writeln!(f, "a member, each second, over {:.0} s:", self.seconds)?;
        writeln!(
            f,
            "  sends     {:.3} packets ({}), {:.1} bytes",
            self.packets_out,
            between(self.packets_out_between),
            self.bytes_out
        )?;
        writeln!(
            f,
            "  receives  {:.3} packets ({}), {:.1} bytes",
            self.packets_in,
            between(self.packets_in_between),
            self.bytes_in
        )?;
        write!(
            f,
            "  exchanges {:.1} bytes, {:.1} in theory: {} rows of {} bytes, twice in {:.0} s",
            self.exchanged_out,
            self.exchanged_in_theory,
            self.members,
            self.row_bytes,
            self.exchange_period
        )
    }
}
