//! Before a replica runs whose log lacks what it may have acknowledged: the links are up, other
//! members are asked, and what they give is put back. See `node::Mending` for what makes it safe.
//!
//! Clients are turned away meanwhile: their connections end at once, so that they try another
//! member instead of waiting for this one.

use std::net::TcpListener as StdListener;
use std::time::Duration;

use node::{MendConfig, MendInput, MendOutput, Mending, gather};
use protocol::mesh::Packet;
use protocol::{Index, Position};
use storage::log::Salvage;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::StartError;
use super::clock::Clock;
use super::driver::RunError;
use super::open::{Doubt, Ground, Opened, Opening, STRANDED, Wounded};
use super::peers::{Disowned, FromPeers, Peer};
use super::rejoin::turn_away;
use super::server::{Network, ServerError};
use super::workers::AnyDisk;
use crate::config::Config;

/// How often whoever looks into the log file is told that it is still so.
const REMINDER: Duration = Duration::from_secs(10);

/// What a member mends with.
pub(super) struct Ward<'a> {
    pub(super) config: &'a Config,
    pub(super) ground: &'a Ground,
    pub(super) network: Network,
    pub(super) stop: watch::Receiver<bool>,
}

/// How a treatment ended.
enum End {
    /// Nothing is missing any more.
    Healed(Salvage<AnyDisk>),
    /// A leader has to send what is missing; its log ends here.
    Surrendered(Salvage<AnyDisk>, Index),
    /// The process is to end.
    Stopped,
    /// Another member does not take this one for what it was.
    Disowned(Disowned),
    /// Another member says that this one was removed.
    Removed,
}

/// What came of a treatment.
pub(super) enum Treated {
    /// The replica can run.
    Opened(Box<Opened>),
    /// The process is to end.
    Stopped,
    /// Another member does not take this one for what it was: nothing is to be mended.
    Disowned(Disowned),
}

/// Mends until the replica can run, or need not.
pub(super) async fn treat(
    ward: &mut Ward<'_>,
    mut wounded: Wounded,
    client: &StdListener,
) -> Result<Treated, ServerError> {
    let clients = client.try_clone().and_then(TcpListener::from_std).map_err(StartError::Thread)?;
    // Dropped at the end, however that comes, it leaves the port to whoever serves there next.
    let mut turning_away = JoinSet::new();
    turning_away.spawn(turn_away(clients));
    let opened = loop {
        let known = match ward.mend(wounded).await? {
            End::Stopped => break Treated::Stopped,
            End::Disowned(by) => break Treated::Disowned(by),
            End::Removed => return Err(RunError::Removed.into()),
            End::Healed(salvage) => {
                drop(salvage.into_disk());
                tracing::info!("the log is whole again: other members had what it lacked");
                Doubt::Open
            }
            End::Surrendered(salvage, last) if salvage.is_undecided() => Doubt::Led(last),
            End::Surrendered(salvage, last) => {
                salvage.surrender(last).map_err(|error| StartError::Log(error.to_string()))?;
                Doubt::Led(last)
            }
        };
        match ward.ground.open(ward.config, known)? {
            Opening::Ready(opened) => break Treated::Opened(opened),
            Opening::Wounded(more) => wounded = *more,
        }
    };
    Ok(opened)
}

impl Ward<'_> {
    /// Asks for what is missing until all is there, or a leader has not got it.
    async fn mend(&mut self, wounded: Wounded) -> Result<End, StartError> {
        let Wounded { mut salvage, others } = wounded;
        let config = MendConfig {
            peers: others.iter().map(|peer| peer.id).collect(),
            term: salvage.hard_state().term,
            life: self.ground.incarnation,
            interval: self.config.heartbeat * 2,
        };
        if others.is_empty() {
            tracing::warn!(
                "nobody is known whom to ask but those who speak to this member now. If nobody \
                 does: where there are other members, {STRANDED}; where there are none, restore it \
                 from a backup"
            );
        }
        self.network.links.keep_to(others);
        let clock = Clock::start();
        tell(&salvage);
        let mut mending = Mending::new(config, salvage.wanted().collect(), salvage.is_helpless());
        let mut remind_at = Instant::now() + REMINDER;
        loop {
            mending.handle(clock.now(), MendInput::Timeout);
            while let Some(output) = mending.poll_output() {
                match output {
                    MendOutput::Send { to, message } => {
                        self.network.links.push(to, &Packet::Direct(message));
                    }
                    MendOutput::Look { peer, life, wanted } => {
                        let (entries, absent) = gather(wanted, |position| salvage.find(position));
                        let found = MendInput::Found { peer, life, entries, absent };
                        mending.handle(clock.now(), found);
                    }
                    MendOutput::Fill(entries) => {
                        salvage
                            .fill(&entries)
                            .map_err(|error| StartError::Log(error.to_string()))?;
                        let wanted = salvage.wanted().collect();
                        mending.handle(clock.now(), MendInput::Filled(wanted));
                    }
                    MendOutput::Healed => return Ok(End::Healed(salvage)),
                    MendOutput::Surrender { leader, term, last } => {
                        tracing::warn!(
                            %leader, %term, %last,
                            "a leader is there: what this member has lost comes from its log and \
                             its state; until then it does not vote"
                        );
                        return Ok(End::Surrendered(salvage, last.index));
                    }
                }
            }
            self.network.links.flush();
            if Instant::now() >= remind_at {
                remind_at += REMINDER;
                remind(&mending, salvage.is_helpless());
            }
            let due = mending.poll_timeout().map_or(remind_at, |time| clock.instant(time));
            if let Some(end) = self.listen(&mut mending, &clock, due.min(remind_at)).await {
                return Ok(end);
            }
        }
    }

    /// Takes in what other members say, until something was said or it is time. Gives what ends
    /// the mending before it is done.
    async fn listen(&mut self, mending: &mut Mending, clock: &Clock, due: Instant) -> Option<End> {
        let Network { messages, events, links, .. } = &mut self.network;
        tokio::select! {
            Some(batch) = messages.recv() => match batch {
                FromPeers::Packets(from, batch) => batch.into_iter().for_each(|packet| {
                    if let Packet::Direct(message) = packet {
                        mending.handle(clock.now(), MendInput::Receive { from, message });
                    }
                }),
                FromPeers::Newcomer(id, address) => {
                    links.dial_newcomer(Peer { id, name: id.to_string(), address });
                }
                // Whoever wants to join asks again, and elsewhere.
                FromPeers::Join(_)
                | FromPeers::Unreachable(_)
                | FromPeers::Broke(_)
                | FromPeers::Removed(_)
                | FromPeers::Disowned(_) => {}
            },
            Some(event) = events.recv() => match event {
                FromPeers::Disowned(by) => return Some(End::Disowned(by)),
                FromPeers::Removed(_) => return Some(End::Removed),
                _ => {}
            },
            () = sleep_until(due) => {}
            _ = self.stop.wait_for(|stop| *stop) => return Some(End::Stopped),
        }
        None
    }
}

fn tell(salvage: &Salvage<AnyDisk>) {
    for damage in salvage.damage() {
        tracing::warn!("the log is damaged: {damage}");
    }
    let lacks = salvage.wanted().count();
    if salvage.is_helpless() {
        tracing::warn!(
            "this member lacks what it may have acknowledged, and only a leader can make up for \
             it: it does not take part until the others have one. Nothing on its disk was changed"
        );
    } else {
        tracing::warn!("{lacks} entries of the log are damaged: other members are asked for them");
    }
}

fn remind(mending: &Mending, helpless: bool) {
    let mut wanted = mending.wanted();
    let lacks = wanted.len();
    let first = wanted.next().map_or_else(String::new, |first: Position| format!(", from {first}"));
    if helpless {
        tracing::warn!(
            "still waiting for a leader: start enough of the other members. If they are lost for \
             good, restore this data directory from a backup"
        );
    } else {
        tracing::warn!(
            "still without {lacks} damaged entries{first}: no member that answers has them intact, \
             and none leads. Start the other members, or restore this data directory from a backup"
        );
    }
}
