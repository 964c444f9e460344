//! Streams between members: exchanges, and pings that packets got no answer to.

use std::time::Duration;

use protocol::Time;
use protocol::swim::message::{Ping, PushPull};
use protocol::swim::wire::row_len;
use protocol::swim::{Address, ExchangeId, Input, StreamId};

use super::Pool;
use super::member::{Arrival, place};
use super::record::What;

/// About what a ping over a stream takes.
const PING_BYTES: u64 = 100;
/// A push/pull without its rows: kind, and a header of three numbers.
const HEADER_BYTES: u64 = 34;

impl Pool {
    /// How long it takes until a stream is open. A mute member opens none.
    fn connect(&mut self, from: usize, to: usize) -> Option<Duration> {
        if self.members[from].slow.is_some() {
            return None;
        }
        self.network.connect(from, to)
    }

    /// Asks over a stream.
    pub(super) fn knock(&mut self, from: usize, to: Address, ping: Ping, deadline: Time) {
        let Some(to) = place(&to, self.members.len()) else { return };
        let time = self.connect(from, to).map(|time| time + self.network.carry(PING_BYTES));
        let arrives = time.map(|time| self.now + time);
        self.saw(|| What::Stream { from, to, says: "ping".to_owned(), arrives });
        let Some(time) = time else { return };
        let life = self.members[from].life;
        self.arrive(time, to, Arrival::Knock { from, life, ping, deadline });
    }

    /// Begins an exchange. It ends by its deadline, one way or the other.
    pub(super) fn ask(
        &mut self,
        from: usize,
        to: Address,
        id: ExchangeId,
        mut state: PushPull,
        deadline: Time,
    ) {
        state.user = self.members[from].state.clone();
        let connected =
            place(&to, self.members.len()).and_then(|to| Some((to, self.connect(from, to)?)));
        if let Some((to, connected)) = connected {
            let bytes = table_bytes(&state);
            self.members[from].meter.exchanged_out += bytes;
            let time = connected + self.network.carry(bytes);
            self.saw_table(from, to, &state, time);
            let life = self.members[from].life;
            self.arrive(time, to, Arrival::Asked { from, life, id, state, bytes });
        }
        let failed = Arrival::Exchanged { id, state: None, bytes: 0 };
        self.arrive(deadline - self.now, from, failed);
    }

    /// The other half of an exchange goes back, if who asked still lives.
    pub(super) fn answer(&mut self, from: usize, id: StreamId, mut state: PushPull) {
        let Some((to, life, id)) = self.members[from].asked.remove(&id) else { return };
        if self.members[to].life != life || self.connect(from, to).is_none() {
            return;
        }
        state.user = self.members[from].state.clone();
        let bytes = table_bytes(&state);
        self.members[from].meter.exchanged_out += bytes;
        let time = self.network.carry(bytes);
        self.saw_table(from, to, &state, time);
        self.arrive(time, to, Arrival::Exchanged { id, state: Some(state), bytes });
    }

    fn saw_table(&mut self, from: usize, to: usize, state: &PushPull, time: Duration) {
        let arrives = Some(self.now + time);
        let rows = state.nodes.len();
        let join = if state.join { ", to join" } else { "" };
        self.saw(|| What::Stream {
            from,
            to,
            says: format!("all {rows} that I know{join}"),
            arrives,
        });
    }

    pub(super) fn stream_arrived(&mut self, to: usize, arrival: Arrival) {
        match arrival {
            Arrival::Knock { from, life, ping, deadline } => {
                let member = &self.members[to];
                let here = ping.node.is_empty() || ping.node == member.facts.name;
                if here && self.now <= deadline && self.members[from].life == life {
                    let time = self.network.carry(PING_BYTES);
                    let arrives = Some(self.now + time);
                    let says = "ack".to_owned();
                    self.saw(|| What::Stream { from: to, to: from, says, arrives });
                    self.arrive(time, from, Arrival::Knocked { seq: ping.seq });
                }
            }
            Arrival::Knocked { seq } => self.input(to, Input::StreamAcked { seq }),
            Arrival::Asked { from, life, id, state, bytes } => {
                let stream = StreamId(self.streams);
                self.streams += 1;
                self.members[to].meter.exchanged_in += bytes;
                self.members[to].asked.insert(stream, (from, life, id));
                self.input(to, Input::Asked { id: stream, state });
            }
            Arrival::Exchanged { id, state, bytes } => {
                self.members[to].meter.exchanged_in += bytes;
                self.input(to, Input::Exchanged { id, state });
            }
            Arrival::Packet { .. } | Arrival::Resume(_) | Arrival::Read(_) => {}
        }
    }
}

/// Bytes of one half of an exchange, before compression.
fn table_bytes(state: &PushPull) -> u64 {
    HEADER_BYTES
        + state.user.len() as u64
        + state.nodes.iter().map(|row| row_len(row) as u64).sum::<u64>()
}

/// How long exchanges of so many members are apart.
pub(super) fn period(members: usize, interval: Duration) -> Duration {
    interval * protocol::swim::exchange_scale(members)
}
