//! The stage: a world with the verbs and claims that scripts are written in.

use std::time::Duration;

use bytes::Bytes;
use node::{Request, RequestId};
use protocol::raft::{Payload, Role};
use protocol::{Position, Term};
use store::{Command, Filter, KeyRange, Put, Range, SortOrder, SortTarget};

use crate::fault::Fault;
use crate::history::{Ending, Told};
use crate::seen::{Place, Seen, View, Violation};
pub(super) use crate::story::{Step, Stop, claim, dice};
use crate::swarm::Options;
use crate::trace::{Kind, Line, Standing, Trace, What, name};
use crate::world::{PresetLog, World};

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Claim(violation.to_string())
    }
}

/// A script.
pub(super) type Script = fn(&mut Stage) -> Step;

/// A world on which a story is played.
pub(super) struct Stage {
    pub(super) world: World,
    from_ns: u64,
}

/// Milliseconds as a duration.
pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Longer than any story takes to get anywhere.
const PATIENCE: Duration = Duration::from_secs(5);

/// Production's settings with the timing of the paper, which reads better.
pub(super) fn options(nodes: usize) -> Options {
    let mut options = Options::stage(nodes);
    // Raft §9.3: election timeouts of 150–300 ms.
    options.consensus.election = ms(150)..=ms(300);
    options.consensus.heartbeat = ms(50);
    options
}

/// Raft as the paper has it: no pre-vote, no stickiness, no leader that steps down by itself.
pub(super) fn plain(nodes: usize) -> Options {
    let mut options = options(nodes);
    options.consensus.pre_vote = false;
    options.consensus.check_quorum = false;
    options.consensus.stickiness = false;
    options
}

/// Setting the stage.
impl Stage {
    pub(super) fn new(options: Options, seed: u64) -> Self {
        Self { world: World::new(options, seed), from_ns: 0 }
    }

    /// Nodes that begin with these terms in their logs, each in the term of `terms`.
    pub(super) fn with_logs(options: Options, seed: u64, logs: &[(&[u64], u64)]) -> Self {
        let preset = |(terms, term): &(&[u64], u64)| PresetLog {
            terms: terms.to_vec(),
            term: *term,
            ..PresetLog::default()
        };
        let logs: Vec<_> = logs.iter().map(preset).collect();
        Self { world: World::with_logs(options, seed, &logs), from_ns: 0 }
    }

    /// What was seen, and from when on it is shown.
    pub(super) fn finish(self) -> (Trace, u64) {
        (self.world.trace().clone(), self.from_ns)
    }

    /// What happened so far was the setting of the stage.
    pub(super) const fn curtain(&mut self) {
        self.from_ns = self.world.now().0;
    }

    /// Whether the curtain has risen.
    pub(super) const fn is_set(&self) -> bool {
        self.from_ns > 0
    }

    pub(super) fn violated(&self) -> Result<(), String> {
        self.world.violation().map_or(Ok(()), |violation| Err(violation.to_string()))
    }

    /// A leader in the middle whom all follow, with nothing left to say: most stories begin there.
    pub(super) fn led_by(&mut self, wanted: Place) -> Step {
        self.until("a leader", PATIENCE, |world| world.leader().is_some())?;
        dice(self.world.leader() == Some(wanted), "the right node leads")?;
        let entries = self.world.nodes() as u64 + 1;
        self.until("all to know each other", PATIENCE, |world| {
            all(world).all(|view| view.is_some_and(|view| view.applied.index.0 >= entries))
        })?;
        dice(self.leader()? == wanted, "the right node leads")?;
        // Half a heartbeat on, nothing is on its way.
        self.world.run_for(ms(30));
        self.curtain();
        Ok(())
    }
}

/// Acting.
impl Stage {
    pub(super) fn note(&mut self, text: &str) {
        self.world.note(text);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.world.run_for(time);
    }

    /// Lets time pass until something holds.
    pub(super) fn until(
        &mut self,
        what: &str,
        limit: Duration,
        holds: impl FnMut(&World) -> bool,
    ) -> Step {
        Ok(self.world.run_until(what, limit, holds)?)
    }

    /// Waits for something for as long as stories take.
    pub(super) fn wait(&mut self, what: &str, holds: impl FnMut(&World) -> bool) -> Step {
        self.until(what, PATIENCE, holds)
    }

    pub(super) fn put(&mut self, at: Place, key: &str, value: &str) -> RequestId {
        let put = Put {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            lease: Some(None),
            prev_kv: false,
        };
        self.world.ask(at, Request::Write(Command::Put(put)))
    }

    pub(super) fn get(&mut self, at: Place, key: &str, serializable: bool) -> RequestId {
        let range = Range {
            keys: KeyRange::single(Bytes::copy_from_slice(key.as_bytes())),
            revision: 0,
            limit: 0,
            target: SortTarget::default(),
            order: SortOrder::default(),
            keys_only: false,
            count_only: false,
            filter: Filter::default(),
        };
        self.world.ask(at, Request::Range { range, serializable })
    }

    /// Waits until a request is answered, and not refused.
    pub(super) fn done(&mut self, id: RequestId) -> Step {
        self.wait("an answer", |world| world.reply(id).is_some())?;
        self.claim_done(id)
    }

    /// Writes through a node and waits for the answer.
    pub(super) fn write(&mut self, at: Place, key: &str, value: &str) -> Step {
        let id = self.put(at, key, value);
        self.done(id)
    }

    /// Waits until all nodes that run have the same log, and know it to be committed and applied.
    pub(super) fn settle(&mut self) -> Step {
        self.wait("equal logs", |world| {
            let Some(leader) = world.leader().and_then(|at| world.view(at)) else { return false };
            let same = |view: View| {
                view.last == leader.last
                    && view.applied == leader.last
                    && view.commit == leader.last.index
                    && view.term == leader.term
            };
            all(world).flatten().all(same)
        })
    }

    /// Waits for a leader other than `old`, in a later term than `old` had, whom `by` know.
    pub(super) fn another(&mut self, old: Place, by: &[Place]) -> Step<Place> {
        let before = self.last_term(old);
        let leads = |world: &World, at: Place| {
            at != old && world.view(at).is_some_and(|v| v.role == Role::Leader && v.term.0 > before)
        };
        let nodes = self.world.nodes();
        let mut next = None;
        self.wait("another leader", |world| {
            next = (0..nodes).find(|at| leads(world, *at));
            let follows = |at: &Place| next.is_some() && world.led_by(*at) == next;
            by.iter().all(follows)
        })?;
        next.ok_or_else(|| Stop::Claim("another leader was there and is not".to_owned()))
    }

    /// The same, of the next term, and nobody else campaigns: what most stories need to be clear.
    pub(super) fn successor(&mut self, old: Place, by: &[Place]) -> Step<Place> {
        let (before, term) = (self.world.now().0, self.last_term(old));
        let next = self.another(old, by)?;
        let others =
            self.lines().filter(|line| line.time_ns > before).any(|line| match line.what {
                What::Became {
                    at, standing: Standing::PreCandidate | Standing::Candidate, ..
                } => at != next,
                _ => false,
            });
        dice(!others && self.last_term(next) == term + 1, "one campaigns, and wins")?;
        Ok(next)
    }

    /// Messages on these links take so much longer from now on; `name` says so.
    pub(super) fn slow(&mut self, links: &[(Place, Place)], by: Duration, name: &'static str) {
        for (from, to) in links {
            self.world.network.link(*from, *to).slow = by;
        }
        let fault = Fault::Other { name, at: None };
        self.world.eyes.see(self.world.now, &Seen::Fault(&fault));
    }
}

/// Looking.
impl Stage {
    pub(super) fn view(&self, at: Place) -> Step<View> {
        self.world.view(at).ok_or_else(|| Stop::Claim(format!("{} does not run", name(at))))
    }

    pub(super) fn leader(&self) -> Step<Place> {
        self.world.leader().ok_or_else(|| Stop::Claim("nobody leads".to_owned()))
    }

    /// The lines since the curtain rose.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        let lines = self.world.trace().record().map_or(&[][..], |record| &record.lines);
        lines.iter().filter(|line| line.time_ns >= self.from_ns)
    }

    /// How many messages of a kind arrived at a node since the curtain rose.
    pub(super) fn arrived(&self, wanted: Kind, at: Place) -> usize {
        let is = |line: &&Line| match line.what {
            What::Arrived { kind, to, .. } => kind == wanted && to == at,
            _ => false,
        };
        self.lines().filter(is).count()
    }

    /// The last term that a node was seen in.
    pub(super) fn last_term(&self, at: Place) -> u64 {
        let record = self.world.trace().record();
        record.map_or(0, |record| record.nodes[at].term)
    }

    /// The terms of a node's log.
    pub(super) fn terms(&self, at: Place) -> Vec<u64> {
        self.world.log(at).iter().map(|entry| entry.position.term.0).collect()
    }

    /// The value that a read answered; `None` when it found nothing.
    pub(super) fn value(&self, id: RequestId) -> Step<Option<String>> {
        match self.world.reply(id) {
            Some(Ending::Answered(answer)) => match &answer.told {
                Told::Range { result, .. } => {
                    let value = result.kvs.first().map(|kv| &kv.value[..]);
                    Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
                }
                other => Err(Stop::Claim(format!("a read was answered with {other:?}"))),
            },
            other => Err(Stop::Claim(format!("a read ended as {other:?}"))),
        }
    }
}

/// Claims that many stories make.
impl Stage {
    pub(super) fn claim_done(&self, id: RequestId) -> Step {
        let reply = self.world.reply(id);
        claim(matches!(reply, Some(Ending::Answered(_))), || {
            format!("a request should have been done and ended as {reply:?}")
        })
    }

    pub(super) fn claim_not_done(&self, id: RequestId) -> Step {
        let reply = self.world.reply(id);
        claim(!matches!(reply, Some(Ending::Answered(_))), || {
            format!("a request should not have been done and ended as {reply:?}")
        })
    }

    pub(super) fn claim_value(&self, id: RequestId, expected: &str) -> Step {
        let value = self.value(id)?;
        claim(value.as_deref() == Some(expected), || {
            format!("a read should have found {expected:?} and found {value:?}")
        })
    }

    /// All nodes that run have entry for entry the same log.
    pub(super) fn claim_equal_logs(&self) -> Step {
        let up = self.world.up();
        for pair in up.windows(2) {
            let (one, two) = (self.world.log(pair[0]), self.world.log(pair[1]));
            claim(one == two, || {
                format!("{} and {} should have equal logs", name(pair[0]), name(pair[1]))
            })?;
        }
        Ok(())
    }

    /// No term ever had two leaders (Raft §5.2), as seen from outside.
    pub(super) fn claim_one_leader_a_term(&self) -> Step {
        let mut leaders = std::collections::BTreeMap::new();
        for line in self.lines() {
            if let What::Became { at, standing: Standing::Leader, term, .. } = line.what {
                let first = *leaders.entry(term).or_insert(at);
                claim(first == at, || {
                    format!("term {term} has two leaders, {} and {}", name(first), name(at))
                })?;
            }
        }
        Ok(())
    }

    /// A command's position in a node's log; `None` when it does not stand there.
    pub(super) fn find(&self, at: Place, key: &str, value: &str) -> Option<Position> {
        let wanted = format!("put {key}={value}");
        let is = |payload: &Payload| crate::trace::payload_words(payload) == wanted;
        let log = self.world.log(at);
        log.iter().find(|entry| is(&entry.payload)).map(|entry| entry.position)
    }

    pub(super) fn claim_term(&self, at: Place, term: u64) -> Step {
        let found = self.view(at)?.term;
        claim(found == Term(term), || {
            format!("{} should be in term {term} and is in term {found}", name(at))
        })
    }
}

fn all(world: &World) -> impl Iterator<Item = Option<View>> {
    world.up().into_iter().map(|at| world.view(at))
}
