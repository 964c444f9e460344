//! A pool with a narrator, and questions that claims are made of.

use std::time::Duration;

use bytes::Bytes;
use protocol::Time;
use protocol::swim::message::{Message, State};
use protocol::swim::{Config, Event};

use crate::pool::record::{Seen, What};
use crate::pool::{Latency, Options, Pool};
pub(super) use crate::story::{Step, Stop, claim, dice};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Settings without exchanges: what members know they know by gossip.
pub(super) const GOSSIP_ALONE: Config = Config { exchange_interval: None, ..Config::LAN };

/// A pool that is watched.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) pool: Pool,
}

impl Stage {
    fn options(members: usize, config: Config, seed: u64) -> Options {
        Options { members, config, latency: Latency::LAN, loss: 0, seed }
    }

    /// Members that know each other.
    pub(super) fn formed(members: usize, config: Config, seed: u64) -> Self {
        let mut pool = Pool::formed(Self::options(members, config, seed));
        pool.keep_record();
        Self { pool }
    }

    /// Members that do not run yet.
    pub(super) fn empty(members: usize, config: Config, seed: u64) -> Self {
        let mut pool = Pool::empty(Self::options(members, config, seed));
        pool.keep_record();
        Self { pool }
    }

    /// Plays a script.
    pub(super) fn play(mut self, script: fn(&mut Self) -> Step) -> super::Played {
        let verdict = script(&mut self);
        (self, verdict)
    }

    pub(super) fn note(&mut self, note: &str) {
        let note = note.to_owned();
        self.pool.saw(|| What::Note(note));
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.pool.run(time);
    }

    /// Waits until it is so; a claim that it comes so within this time.
    pub(super) fn wait(
        &mut self,
        what: &str,
        most: Duration,
        so: impl Fn(&Pool) -> bool,
    ) -> Result<Duration, Stop> {
        let waited = self.pool.run_until(most, 10 * MS, |pool| so(pool));
        waited.ok_or_else(|| Stop::Claim(format!("{what}: not within {most:?}")))
    }

    pub(super) fn say(&mut self, member: usize, message: &'static str) {
        self.pool.say(member, Bytes::from_static(message.as_bytes()));
    }

    /// Everything since then.
    pub(super) fn since(&self, begun: Time) -> impl Iterator<Item = &Seen> {
        self.pool.record().iter().filter(move |seen| seen.at >= begun)
    }

    /// Packets since then with such a message: who sent it, to whom, when.
    pub(super) fn packets(
        &self,
        begun: Time,
        so: impl Fn(&Message) -> bool,
    ) -> Vec<(Time, usize, usize)> {
        let packets = self.since(begun).filter_map(|seen| match &seen.what {
            What::Packet { from, to, messages, .. } => {
                messages.iter().any(&so).then_some((seen.at, *from, *to))
            }
            What::Stream { .. } | What::Told { .. } | What::Heard { .. } | What::Note(_) => None,
        });
        packets.collect()
    }

    /// Events since then: when, told by whom.
    pub(super) fn told(&self, begun: Time, so: impl Fn(&Event) -> bool) -> Vec<(Time, usize)> {
        let told = self.since(begun).filter_map(|seen| match &seen.what {
            What::Told { by, event } => so(event).then_some((seen.at, *by)),
            What::Packet { .. } | What::Stream { .. } | What::Heard { .. } | What::Note(_) => None,
        });
        told.collect()
    }

    /// Who has heard something of the layer above since then.
    pub(super) fn heard(&self, begun: Time, what: &str) -> Vec<(Time, usize)> {
        let heard = self.since(begun).filter_map(|seen| match &seen.what {
            What::Heard { by, message } => (message == what).then_some((seen.at, *by)),
            What::Packet { .. } | What::Stream { .. } | What::Told { .. } | What::Note(_) => None,
        });
        heard.collect()
    }

    /// Directions of streams since then that said something of this kind.
    pub(super) fn streams(&self, begun: Time, says: &str) -> Vec<(usize, usize)> {
        let streams = self.since(begun).filter_map(|seen| match &seen.what {
            What::Stream { from, to, says: said, arrives: Some(_) } => {
                said.contains(says).then_some((*from, *to))
            }
            What::Stream { .. }
            | What::Packet { .. }
            | What::Told { .. }
            | What::Heard { .. }
            | What::Note(_) => None,
        });
        streams.collect()
    }
}

/// Whether an event says that this member has failed.
pub(super) fn failed(pool: &Pool, of: usize) -> impl Fn(&Event) -> bool {
    let name = pool.facts(of).name.clone();
    move |event| matches!(event, Event::Failed(facts) if facts.name == name)
}

/// Whether an event says that this member is suspected.
pub(super) fn suspected(pool: &Pool, of: usize) -> impl Fn(&Event) -> bool {
    let name = pool.facts(of).name.clone();
    move |event| matches!(event, Event::Suspected { member, .. } if member.name == name)
}

/// Whether all others that run believe this of a member.
pub(super) fn believed(pool: &Pool, of: usize, state: State) -> bool {
    pool.living().filter(|&by| by != of).all(|by| pool.state(by, of) == Some(state))
}

/// Whether all that run believe of all that run that they are there.
pub(super) fn all_alive(pool: &Pool) -> bool {
    pool.living().all(|of| believed(pool, of, State::Alive))
}
