//! A contest with a narrator, and questions that claims are made of.

use std::time::Duration;

use crate::compare::contest::Contest;
use crate::compare::member::{Input, Member, View};
use crate::compare::record::{Seen, What, name};
use crate::compare::{Contender, Settings};
use crate::lab::links::Links;
pub(super) use crate::story::{Step, Stop, claim, dice};

/// Longer than any election that ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// A contest that is watched.
#[derive(Debug)]
pub(super) struct Stage {
    contest: Contest,
    nodes: usize,
}

impl Stage {
    /// Nodes that do not run yet.
    pub(super) fn new(contender: Contender, nodes: usize, seed: u64) -> Self {
        let mut contest = Contest::new(contender, nodes, &Settings::near(), seed);
        contest.keep_record();
        Self { contest, nodes }
    }

    /// Plays a script.
    pub(super) fn play(mut self, script: fn(&mut Self) -> Step) -> super::Played {
        let verdict = script(&mut self);
        (self, verdict)
    }

    pub(super) fn finish(self) -> (usize, Vec<Seen>) {
        (self.nodes, self.contest.record().to_vec())
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.contest.saw(|| What::Note(note.into()));
    }

    /// A node that has not started yet.
    pub(super) fn member(&mut self, node: usize) -> &mut Member {
        self.contest.member(node)
    }

    pub(super) fn start_all(&mut self) {
        self.contest.start_all();
    }

    pub(super) fn start(&mut self, node: usize) {
        self.contest.start(node);
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.contest.crash(node);
    }

    pub(super) fn tell(&mut self, node: usize, input: Input) {
        self.contest.tell(node, input);
    }

    /// Only nodes of one side reach each other.
    pub(super) fn split(&mut self, sides: &[&[usize]]) {
        let mut links = Links::none(self.nodes);
        for side in sides {
            for from in *side {
                side.iter().filter(|to| *to != from).for_each(|to| links.set(*from, *to, true));
            }
        }
        self.contest.connect(links);
    }

    pub(super) fn heal(&mut self) {
        self.contest.connect(Links::full(self.nodes));
    }

    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.contest.run_for(Duration::from_millis(milliseconds));
    }

    pub(super) fn view(&self, node: usize) -> View {
        self.contest.view(node)
    }

    /// Who is able to act, when there is one only.
    pub(super) fn leader(&self) -> Option<usize> {
        self.contest.leader()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.contest.epoch()
    }

    /// Waits until it is so; a claim that it comes so.
    pub(super) fn until(&mut self, what: &str, so: impl Fn(&Contest) -> bool) -> Step {
        let until = self.contest.now + PATIENCE;
        let came = so(&self.contest) || self.contest.run(until, so);
        claim(came, || format!("waited in vain for {what}"))
    }

    /// Waits until one acts and everybody that it reaches follows it.
    pub(super) fn settle(&mut self) -> Result<usize, Stop> {
        self.until("a leader whom all follow", Contest::is_settled)?;
        self.pass(20);
        self.leader().ok_or_else(|| Stop::Claim("who led leads no more".to_owned()))
    }

    /// A claim that this node comes to lead all that it reaches.
    pub(super) fn led_by(&mut self, node: usize) -> Step {
        let leader = self.settle()?;
        claim(leader == node, || format!("{} leads, not {}", name(leader), name(node)))
    }

    /// A place in the record, to count from.
    pub(super) fn mark(&self) -> usize {
        self.contest.record().len()
    }

    /// Messages since then of which `is` holds: from, to, kind and text.
    pub(super) fn sent(&self, mark: usize, is: impl Fn(usize, usize, &str, &str) -> bool) -> usize {
        let wanted = |seen: &&Seen| match &seen.what {
            What::Sent { from, to, kind, text, .. } => is(*from, *to, kind, text),
            _ => false,
        };
        self.contest.record()[mark..].iter().filter(wanted).count()
    }

    /// Messages of a kind since then.
    pub(super) fn of_kind(&self, mark: usize, wanted: &str) -> usize {
        self.sent(mark, |_, _, kind, _| kind == wanted)
    }

    /// The most nodes that took themselves for able to act at one time, since then.
    pub(super) fn most_serving(&self, mark: usize) -> usize {
        let mut serving = vec![false; self.nodes];
        let mut most = 0;
        for (place, seen) in self.contest.record().iter().enumerate() {
            match &seen.what {
                What::Became { node, serves, .. } => serving[*node] = *serves,
                What::Down(node) => serving[*node] = false,
                _ => {}
            }
            if place >= mark {
                most = most.max(serving.iter().filter(|it| **it).count());
            }
        }
        most
    }
}
