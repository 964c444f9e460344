//! How candidates that were told a number and no names find their first electorate.
//!
//! The rule and its proof are [`crate::bootstrap`]'s: pledges that are durable before they are
//! shown, and only ever go down. Below twice the number of candidates there is one group at most.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::boundary::{Durable, Shown, Standing, Warning, WriteId};
use super::electorate::Electorate;
use crate::bootstrap::{self, Config, Founding, Input, Output, Pledge, Restored, Seat, Sighting};
use crate::{ClusterId, NodeId};

/// One candidate's part in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Meeting {
    founding: Founding,
    /// Its write under way: our name for it, and its own.
    writing: Option<(WriteId, bootstrap::WriteId)>,
}

/// What came of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Make this pledge durable, and tell under which name.
    Pledge(bootstrap::WriteId, Pledge),
    /// What is shown has changed.
    Show,
    /// These are the first electorate.
    Met(Electorate),
    /// Tell the operator.
    Warn(Warning),
}

/// Candidates have no names and addresses here: the id stands for both.
fn seat(id: NodeId) -> Seat {
    Seat { id, name: id.to_string(), peer: id.to_string() }
}

impl Meeting {
    pub(super) fn new(id: NodeId, expect: usize, durable: &Durable) -> Self {
        let cluster = durable.electorate.as_ref().map(|electorate| electorate.group);
        // Whoever follows a group that others founded holds no pledge any more.
        let founds = |pledge: &Pledge| {
            let members = pledge.servers().iter().copied().collect();
            cluster.is_none_or(|cluster| cluster == Electorate::first(members).group)
        };
        let restored = Restored { pledge: durable.pledge.clone().filter(founds), cluster };
        let founding = Founding::new(Config { own: seat(id), expect }, restored);
        Self { founding, writing: None }
    }

    pub(super) fn saw(&mut self, shown: &Shown, standing: Standing) {
        let seen = bootstrap::Shown { pledge: shown.pledge.clone(), cluster: shown.group };
        let seat = seat(shown.rank.id);
        let sighting = Sighting { seat, expect: shown.expect, shown: seen };
        let alive = standing != Standing::Failed;
        self.founding.handle(Input::Saw { sighting, alive });
    }

    pub(super) fn forgotten(&mut self, id: NodeId) {
        self.founding.handle(Input::Forgotten(id));
    }

    pub(super) const fn writes(&mut self, ours: WriteId, its: bootstrap::WriteId) {
        self.writing = Some((ours, its));
    }

    pub(super) fn persisted(&mut self, id: WriteId) {
        if let Some((_, its)) = self.writing.take_if(|(ours, _)| *ours <= id) {
            self.founding.handle(Input::Persisted(its));
        }
    }

    /// There is a group, and this candidate has its electorate.
    pub(super) fn settled(&mut self, group: ClusterId) {
        self.founding.handle(Input::Settled(group));
    }

    /// What to show as a pledge: what is durable.
    pub(super) fn pledge(&self) -> Option<Pledge> {
        self.founding.pledge().cloned()
    }

    pub(super) fn status(&self) -> bootstrap::Status {
        self.founding.status()
    }

    /// What there is to do.
    pub(super) fn drain(&mut self) -> Vec<News> {
        let outputs = core::iter::from_fn(|| self.founding.poll_output());
        let news = outputs.filter_map(|output| match output {
            Output::Persist { id, pledge } => Some(News::Pledge(id, pledge)),
            Output::Show(_) => Some(News::Show),
            Output::Form(seats) => {
                let members: BTreeSet<NodeId> = seats.iter().map(|seat| seat.id).collect();
                Some(News::Met(Electorate::first(members)))
            }
            // Its members tell their electorate with everything that they say.
            Output::Follow(_) => None,
            Output::Warn(warning) => Some(News::Warn(Warning::Meeting(warning))),
        });
        news.collect()
    }

    #[cfg(feature = "explore")]
    pub(super) fn forget_history(&mut self) {
        self.founding.forget_history();
    }
}
