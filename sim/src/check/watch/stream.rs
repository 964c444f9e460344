//! One watch, response by response.

use std::iter::Peekable;

use protocol::Time;
use store::watch::{CancelReason, RefuseReason, WatchCreate, WatchId, WatchResponse};
use store::{Event, EventKind, KeyRange, Previous};

use super::Judged;
use crate::check::kv::{Happened, Truth};
use crate::history::Watch;
use crate::seen::{Violation, seconds};

/// How long a replica of a healed world may take to tell an open watch of what was committed.
pub(super) const SETTLE_NS: u64 = 5_000_000_000;

/// Judges one watch. `settled`: what was committed before this must have been told at the end.
pub(super) fn judge(
    watch: &Watch,
    truth: &Truth,
    settled: Option<Time>,
    judged: &mut Judged,
) -> Result<(), Violation> {
    let mut stage = Stage::Asked;
    let mut last = watch.called;
    for (at, response) in &watch.heard {
        let listener = Listener { watch, truth, at: *at };
        if *at < last {
            return Err(listener.broken("history", "responses arrive backwards in time"));
        }
        last = *at;
        stage = listener.hear(stage, response, judged)?;
    }
    if let (Stage::Open(mut open), true) = (stage, watch.open_at_end) {
        let listener = Listener { watch, truth, at: last };
        listener.at_end(&mut open, settled, judged)?;
    }
    Ok(())
}

/// How far a watch has come.
enum Stage<'a> {
    /// Nothing was heard of it.
    Asked,
    /// It is told of events.
    Open(Open<'a>),
    /// It was refused, or canceled.
    Over,
}

struct Open<'a> {
    id: WatchId,
    /// Its start had been compacted: all that may follow is the end.
    doomed: bool,
    /// The least revision that may still be told.
    next: i64,
    /// The least revision that may be promised.
    promise_from: i64,
    /// The revision of the last header.
    header: i64,
    /// The revision of the last event.
    told: i64,
    /// What is still to be told.
    expected: Peekable<Box<dyn Iterator<Item = Happened<'a>> + 'a>>,
}

/// The keys of a watch as etcd reads them: an empty key is the smallest one.
fn keys(create: &WatchCreate) -> KeyRange {
    let mut keys = create.keys.clone();
    if keys.key.is_empty() {
        keys.key = bytes::Bytes::from_static(b"\0");
    }
    keys
}

fn names_nothing(keys: &KeyRange) -> bool {
    !keys.is_single() && !keys.is_open() && keys.key >= keys.end
}

fn wanted(create: &WatchCreate, is_put: bool) -> bool {
    !(if is_put { create.no_put } else { create.no_delete })
}

/// One response, on arrival.
struct Listener<'a> {
    watch: &'a Watch,
    truth: &'a Truth<'a>,
    at: Time,
}

impl<'a> Listener<'a> {
    fn broken(&self, law: &'static str, what: impl std::fmt::Display) -> Violation {
        let Watch { client, called, create, .. } = self.watch;
        let what = format!(
            "client {client}'s watch of {} to {} from revision {} (created at {:.3} s): {what}",
            create.keys.key.escape_ascii(),
            create.keys.end.escape_ascii(),
            create.start_revision,
            seconds(*called),
        );
        Violation { law, at: self.at, what }
    }

    fn hear(
        &self,
        stage: Stage<'a>,
        response: &WatchResponse,
        judged: &mut Judged,
    ) -> Result<Stage<'a>, Violation> {
        match (stage, response) {
            (Stage::Asked, WatchResponse::Created { id, revision }) => {
                self.created(*id, *revision).map(Stage::Open)
            }
            (Stage::Asked, WatchResponse::Refused { reason, revision }) => {
                self.refused(*reason, *revision)
            }
            // Meant for the stream's other watches.
            (stage @ Stage::Asked, WatchResponse::Progress { id: None, .. }) => Ok(stage),
            (Stage::Open(open), WatchResponse::Events { id, .. }) if *id == open.id => {
                self.events(open, response, judged).map(Stage::Open)
            }
            (Stage::Open(open), WatchResponse::Progress { id, revision })
                if id.is_none_or(|id| id == open.id) =>
            {
                judged.bookmarks += 1;
                self.progress(open, id.is_some(), *revision).map(Stage::Open)
            }
            (
                Stage::Open(open),
                WatchResponse::Canceled { id, reason, compact_revision, revision },
            ) if *id == open.id => {
                judged.compacted += usize::from(*reason == Some(CancelReason::Compacted));
                self.canceled(&open, *reason, *compact_revision, *revision)?;
                Ok(Stage::Over)
            }
            (Stage::Asked | Stage::Open(_) | Stage::Over, _) => {
                let what = format!("{response:?} cannot come here");
                Err(self.broken("watch protocol", what))
            }
        }
    }

    /// The moments at which a response with this revision in its header was queued.
    fn moments(&self, header: i64) -> Result<(usize, usize), Violation> {
        let newest = self.truth.moment_at(self.at);
        let moments = self.truth.moments_of(header).filter(|moments| *moments.start() <= newest);
        let Some(moments) = moments else {
            let most = self.truth.revision(newest);
            let what = format!("a header has revision {header}, where the newest was {most}");
            return Err(self.broken("watch future", what));
        };
        Ok((*moments.start(), (*moments.end()).min(newest)))
    }

    fn created(&self, id: WatchId, revision: i64) -> Result<Open<'a>, Violation> {
        let create = &self.watch.create;
        let (start, range) = (create.start_revision, keys(create));
        if names_nothing(&range) || start < 0 {
            return Err(self.broken("watch protocol", "was created, and should have been refused"));
        }
        let (first, _) = self.moments(revision)?;
        let next = if start == 0 { revision + 1 } else { start };
        let matches = move |change: &Happened<'a>| {
            range.contains(change.key()) && wanted(create, change.is_put())
        };
        let truth: &'a Truth<'a> = self.truth;
        let expected = truth.changes_since(next).filter(matches);
        let expected: Box<dyn Iterator<Item = Happened<'a>> + 'a> = Box::new(expected);
        Ok(Open {
            id,
            doomed: start != 0 && start < self.truth.compact_revision(first),
            next,
            promise_from: if start == 0 { revision } else { start },
            header: revision,
            told: 0,
            expected: expected.peekable(),
        })
    }

    fn refused(&self, reason: RefuseReason, revision: i64) -> Result<Stage<'a>, Violation> {
        self.moments(revision)?;
        let create = &self.watch.create;
        let right = match reason {
            RefuseReason::EmptyRange => names_nothing(&keys(create)),
            RefuseReason::NegativeStart => create.start_revision < 0,
            RefuseReason::Duplicate => create.id != 0,
            RefuseReason::TooManyWatchers => true,
        };
        if right {
            return Ok(Stage::Over);
        }
        Err(self.broken("watch protocol", format!("was refused without a reason: {reason:?}")))
    }

    /// A header never goes back, and shows no future.
    fn header(&self, open: &mut Open<'a>, revision: i64) -> Result<(usize, usize), Violation> {
        let moments = self.moments(revision)?;
        if revision < open.header {
            let what = format!("the header's revision {revision} follows {}", open.header);
            return Err(self.broken("watch ordered", what));
        }
        open.header = revision;
        Ok(moments)
    }

    fn events(
        &self,
        mut open: Open<'a>,
        response: &WatchResponse,
        judged: &mut Judged,
    ) -> Result<Open<'a>, Violation> {
        let WatchResponse::Events { revision, events, prev_kv, fragment, .. } = response else {
            return Ok(open);
        };
        let create = &self.watch.create;
        if events.is_empty() || (*prev_kv, *fragment) != (create.prev_kv, create.fragment) {
            return Err(self.broken("watch protocol", "a response without events, or for another"));
        }
        let (first, _) = self.header(&mut open, *revision)?;
        if open.doomed {
            let what = "goes on, and its start was compacted before it was created";
            return Err(self.broken("watch resumable", what));
        }
        let compacted = self.truth.compact_revision(first);
        for event in events {
            self.event(&mut open, event)?;
            let told = event.kv.mod_revision;
            if told > *revision {
                let what = format!("revision {told} comes under a header with {revision}");
                return Err(self.broken("watch future", what));
            }
            if told < compacted {
                let what = format!("revision {told} is told, all before {compacted} is compacted");
                return Err(self.broken("watch resumable", what));
            }
            judged.events += 1;
            judged.previous += usize::from(matches!(event.previous, Previous::Held(_)) && *prev_kv);
        }
        match open.expected.peek() {
            Some(rest) if rest.revision() == open.told => {
                let what = format!("revision {} is not told as a whole", open.told);
                Err(self.broken("watch atomic", what))
            }
            Some(_) | None => {
                open.next = open.told + 1;
                Ok(open)
            }
        }
    }

    /// One event must be the next one.
    fn event(&self, open: &mut Open<'a>, event: &Event) -> Result<(), Violation> {
        let expected = open.expected.peek().copied();
        let is_put = event.kind == EventKind::Put;
        let same = |change: Happened| {
            (change.revision(), change.is_put()) == (event.kv.mod_revision, is_put)
                && *change.key() == event.kv.key
        };
        let Some(change) = expected.filter(|change| same(*change)) else {
            return Err(self.misplaced(open, event, same));
        };
        if change.shown() != event.kv {
            let what = format!("told {:?}, and it was {:?}", event.kv, change.shown());
            return Err(self.broken("watch event", what));
        }
        self.previous(change, event)?;
        open.told = change.revision();
        open.expected.next();
        Ok(())
    }

    /// Which law an event breaks that is not the next one.
    fn misplaced(
        &self,
        open: &mut Open<'a>,
        event: &Event,
        same: impl Fn(Happened) -> bool,
    ) -> Violation {
        let create = &self.watch.create;
        let revision = event.kv.mod_revision;
        let next = open.expected.peek().map(|change| (change.revision(), change.key().clone()));
        let is_put = event.kind == EventKind::Put;
        let law = if !keys(create).contains(&event.kv.key) || !wanted(create, is_put) {
            "watch filter"
        } else if create.start_revision > 0 && revision < create.start_revision {
            "watch future"
        } else if open.told > 0
            && self
                .truth
                .changes_since(revision)
                .take_while(|change| change.revision() == revision)
                .any(&same)
            && revision <= open.told
        {
            "watch unique"
        } else if revision < open.next {
            "watch ordered"
        } else if open.expected.any(same) {
            if open.told == 0 && create.start_revision > 0 {
                "watch resumable"
            } else {
                "watch reliable"
            }
        } else {
            "watch event"
        };
        let what = format!(
            "told {:?} of {} at revision {revision}, and the next was {next:?}",
            event.kind,
            event.kv.key.escape_ascii()
        );
        self.broken(law, what)
    }

    fn previous(&self, change: Happened, event: &Event) -> Result<(), Violation> {
        if !self.watch.create.prev_kv {
            return Ok(());
        }
        let before = change.before();
        let right = match &event.previous {
            Previous::Held(kv) => before.as_ref() == Some(kv),
            Previous::Absent => {
                // By its arrival at the latest, the revision before must have been compacted.
                let compacted = self.truth.compact_revision(self.truth.moment_at(self.at));
                before.is_none() || change.revision() - 1 < compacted
            }
            Previous::Stored(_) => false,
        };
        if right {
            return Ok(());
        }
        let what = format!(
            "the event of {} at revision {} has {:?} before it, and it was {before:?}",
            event.kv.key.escape_ascii(),
            change.revision(),
            event.previous
        );
        Err(self.broken("watch prev_kv", what))
    }

    fn progress(
        &self,
        mut open: Open<'a>,
        own: bool,
        revision: i64,
    ) -> Result<Open<'a>, Violation> {
        self.header(&mut open, revision)?;
        if open.doomed {
            let what = "makes progress, and its start was compacted before it was created";
            return Err(self.broken("watch resumable", what));
        }
        if own && !self.watch.create.progress_notify {
            return Err(self.broken("watch protocol", "is told of progress and did not ask"));
        }
        if revision < open.promise_from {
            let what = format!("revision {revision} is promised, before its start");
            return Err(self.broken("watch future", what));
        }
        if let Some(change) = open.expected.peek().filter(|change| change.revision() <= revision) {
            let what = format!(
                "revision {revision} is promised, and {} at revision {} was not told",
                change.key().escape_ascii(),
                change.revision()
            );
            return Err(self.broken("watch bookmarkable", what));
        }
        open.next = open.next.max(revision.saturating_add(1));
        Ok(open)
    }

    fn canceled(
        &self,
        open: &Open<'a>,
        reason: Option<CancelReason>,
        compacted: Option<i64>,
        revision: i64,
    ) -> Result<(), Violation> {
        let (first, last) = self.moments(revision)?;
        let right = match (reason, compacted) {
            (None | Some(CancelReason::Unreadable), None) => true,
            (Some(CancelReason::Compacted), Some(to)) => {
                to > open.next
                    && to >= self.truth.compact_revision(first)
                    && self.truth.was_compacted_to(to, last)
            }
            (None | Some(CancelReason::Unreadable), Some(_))
            | (Some(CancelReason::Compacted), None) => false,
        };
        if right {
            return Ok(());
        }
        let what = format!(
            "was canceled with {reason:?} and compact revision {compacted:?}, when revision {} \
             was next and all before {} compacted",
            open.next,
            self.truth.compact_revision(last)
        );
        Err(self.broken("watch resumable", what))
    }

    /// A watch that was open when a healed world ended.
    fn at_end(
        &self,
        open: &mut Open<'a>,
        settled: Option<Time>,
        judged: &mut Judged,
    ) -> Result<(), Violation> {
        let Some(settled) = settled.filter(|settled| self.watch.called <= *settled) else {
            return Ok(());
        };
        if open.doomed {
            let what = "was never canceled, and its start was compacted before it was created";
            return Err(self.broken("watch liveness", what));
        }
        let committed = |revision| self.truth.maker(revision).map(|place| self.truth.at(place));
        if let Some(change) = open.expected.peek()
            && committed(change.revision()).is_some_and(|at| at <= settled)
        {
            let what = format!(
                "never heard of {} at revision {}, though it listened to the end",
                change.key().escape_ascii(),
                change.revision()
            );
            return Err(self.broken("watch liveness", what));
        }
        judged.complete += 1;
        Ok(())
    }
}
