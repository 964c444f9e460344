//! Ways for a watch to be told wrongly.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Rng;
use sim::check::kv::Truth;
use sim::history::History;
use store::watch::{CancelReason, WatchId, WatchResponse};
use store::{Event, EventKind, KeyRange, Limits, Previous};

use crate::mutate::{Mutation, or_not, pick};

pub(crate) const WATCHES: &[Mutation] = &[
    ("an event is left out", &["watch reliable", "watch resumable", "watch event"], dropped),
    (
        "the first event of a resumed watch is left out",
        &["watch resumable", "watch event"],
        skipped,
    ),
    ("an event is told twice", &["watch unique"], twice),
    ("a response comes twice", &["watch unique"], repeated),
    (
        "two responses swap their places",
        &["watch reliable", "watch resumable", "watch event"],
        swapped,
    ),
    ("a revision comes in two responses", &["watch atomic"], split),
    ("an event has a wrong field", &["watch event"], wrong_field),
    ("a put comes as a deletion", &["watch event", "watch filter"], wrong_kind),
    ("a previous value is wrong", &["watch prev_kv"], wrong_previous),
    ("a previous value is invented", &["watch prev_kv"], invented_previous),
    ("a previous value is missing", &["watch prev_kv"], missing_previous),
    ("an event of another key is told", &["watch filter"], other_key),
    ("an event of a filtered kind is told", &["watch filter"], filtered),
    ("an event from before the start is told", &["watch future"], before_start),
    ("an event arrives before it is committed", &["watch future", "history"], too_soon),
    ("progress is promised too early", &["watch bookmarkable"], early_progress),
    ("progress goes back", &["watch ordered", "watch future"], progress_back),
    ("a compacted watch goes on", &["watch resumable", "watch reliable"], goes_on),
    ("a watch is canceled for a compaction that was not", &["watch resumable"], canceled),
    ("something follows the end of a watch", &["watch protocol"], after_end),
    ("an open watch was not told the end", &["watch liveness"], forgotten),
];

/// The responses with events: watch and place.
fn told(history: &History) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for (watch, it) in history.watches.iter().enumerate() {
        for (place, (_, response)) in it.heard.iter().enumerate() {
            if matches!(response, WatchResponse::Events { .. }) {
                all.push((watch, place));
            }
        }
    }
    all
}

fn events(history: &mut History, (watch, place): (usize, usize)) -> &mut Vec<Arc<Event>> {
    match &mut history.watches[watch].heard[place].1 {
        WatchResponse::Events { events, .. } => events,
        _ => panic!("it has events"),
    }
}

fn any(history: &History, rng: &mut Rng) -> Option<(usize, usize)> {
    pick(rng, told(history).into_iter())
}

fn dropped(history: &mut History, rng: &mut Rng) -> bool {
    let all = told(history);
    // Progress between the two would notice first, and rightly.
    let fits = |pair: &&[(usize, usize)]| {
        let next = pair[0].1 + 1 == pair[1].1;
        let WatchResponse::Events { events, .. } = &history.watches[pair[0].0].heard[pair[0].1].1
        else {
            return false;
        };
        pair[0].0 == pair[1].0 && next && events.len() > 1
    };
    let at = or_not!(pick(rng, all.windows(2).filter(fits).map(|pair| pair[0])));
    events(history, at).remove(0);
    true
}

/// The first responses with events of watches that have a start.
fn firsts_from_the_past(history: &History) -> impl Iterator<Item = (usize, usize)> + use<> {
    let mut firsts = told(history);
    firsts.dedup_by_key(|(watch, _)| *watch);
    firsts.retain(|(watch, _)| history.watches[*watch].create.start_revision > 0);
    firsts.into_iter()
}

fn skipped(history: &mut History, rng: &mut Rng) -> bool {
    let at = or_not!(pick(rng, firsts_from_the_past(history)));
    let events = events(history, at);
    if events.len() < 2 {
        return false;
    }
    events.remove(0);
    true
}

fn twice(history: &mut History, rng: &mut Rng) -> bool {
    let at = or_not!(any(history, rng));
    let events = events(history, at);
    events.push(Arc::clone(&events[events.len() - 1]));
    true
}

fn repeated(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, place) = or_not!(any(history, rng));
    let heard = &mut history.watches[watch].heard;
    heard.insert(place + 1, heard[place].clone());
    true
}

fn swapped(history: &mut History, rng: &mut Rng) -> bool {
    let all = told(history);
    let at_once = |pair: &&[(usize, usize)]| {
        let heard = &history.watches[pair[0].0].heard;
        pair[0].0 == pair[1].0
            && pair[0].1 + 1 == pair[1].1
            && heard[pair[0].1].0 == heard[pair[1].1].0
    };
    let (watch, place) = or_not!(pick(rng, all.windows(2).filter(at_once).map(|pair| pair[0])));
    history.watches[watch].heard.swap(place, place + 1);
    true
}

fn split(history: &mut History, rng: &mut Rng) -> bool {
    let whole = |at: &(usize, usize)| match &history.watches[at.0].heard[at.1].1 {
        WatchResponse::Events { events, .. } => {
            events.windows(2).position(|pair| pair[0].kv.mod_revision == pair[1].kv.mod_revision)
        }
        _ => None,
    };
    let all = told(history);
    let found = pick(rng, all.iter().filter_map(|at| Some((*at, whole(at)?))));
    let ((watch, place), cut) = or_not!(found);
    let rest = events(history, (watch, place)).split_off(cut + 1);
    let heard = &mut history.watches[watch].heard;
    let mut second = heard[place].clone();
    if let WatchResponse::Events { events, .. } = &mut second.1 {
        *events = rest;
    }
    heard.insert(place + 1, second);
    true
}

/// Changes one event for which this says yes.
fn change(
    history: &mut History,
    rng: &mut Rng,
    fits: impl Fn(&History, usize, &Event) -> bool,
    deed: impl Fn(&mut Event),
) -> bool {
    let mut all = Vec::new();
    for at in told(history) {
        let WatchResponse::Events { events, .. } = &history.watches[at.0].heard[at.1].1 else {
            continue;
        };
        let fit = events.iter().enumerate().filter(|(_, event)| fits(history, at.0, event));
        all.extend(fit.map(|(place, _)| (at, place)));
    }
    let (at, place) = or_not!(pick(rng, all.into_iter()));
    deed(Arc::make_mut(&mut events(history, at)[place]));
    true
}

fn wrong_field(history: &mut History, rng: &mut Rng) -> bool {
    let which = rng.below(3);
    change(
        history,
        rng,
        |_, _, event| event.kind == EventKind::Put,
        |event| match which {
            0 => event.kv.version += 1,
            1 => event.kv.value = Bytes::from_static(b"wrong"),
            _ => event.kv.create_revision -= 1,
        },
    )
}

fn wrong_kind(history: &mut History, rng: &mut Rng) -> bool {
    change(
        history,
        rng,
        |_, _, event| event.kind == EventKind::Put,
        |event| {
            event.kind = EventKind::Delete;
        },
    )
}

fn wants_previous(history: &History, watch: usize) -> bool {
    history.watches[watch].create.prev_kv
}

fn wrong_previous(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |history: &History, watch: usize, event: &Event| {
        wants_previous(history, watch) && matches!(event.previous, Previous::Held(_))
    };
    change(history, rng, fits, |event| {
        if let Previous::Held(kv) = &mut event.previous {
            kv.mod_revision -= 1;
        }
    })
}

fn invented_previous(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |history: &History, watch: usize, event: &Event| {
        wants_previous(history, watch) && event.kv.version == 1
    };
    change(history, rng, fits, |event| event.previous = Previous::Held(event.kv.clone()))
}

fn missing_previous(history: &mut History, rng: &mut Rng) -> bool {
    let compacted = {
        let truth = Truth::new(&history.truth, Limits::default()).unwrap();
        truth.compact_revision(truth.len())
    };
    let fits = |history: &History, watch: usize, event: &Event| {
        wants_previous(history, watch)
            && matches!(event.previous, Previous::Held(_))
            && event.kv.mod_revision > compacted
    };
    change(history, rng, fits, |event| event.previous = Previous::Absent)
}

fn other_key(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, _) = or_not!(any(history, rng));
    history.watches[watch].create.keys = KeyRange::single(Bytes::from_static(b"z"));
    true
}

fn filtered(history: &mut History, rng: &mut Rng) -> bool {
    let at = or_not!(any(history, rng));
    let kind = events(history, at)[0].kind;
    let create = &mut history.watches[at.0].create;
    match kind {
        EventKind::Put => create.no_put = true,
        EventKind::Delete => create.no_delete = true,
    }
    true
}

fn before_start(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, place) = or_not!(pick(rng, firsts_from_the_past(history)));
    let revision = events(history, (watch, place))[0].kv.mod_revision;
    history.watches[watch].create.start_revision = revision + 1;
    true
}

fn too_soon(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, place) = or_not!(any(history, rng));
    let revision = events(history, (watch, place)).last().unwrap().kv.mod_revision;
    let truth = history.truth.clone();
    let truth = Truth::new(&truth, Limits::default()).unwrap();
    let at = truth.at(truth.maker(revision).unwrap());
    let heard = &mut history.watches[watch].heard[place];
    heard.0 = protocol::Time(at.0 - 1);
    history.watches[watch].called < at
}

fn early_progress(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, place) = or_not!(any(history, rng));
    let heard = &mut history.watches[watch].heard;
    let (at, response) = heard[place].clone();
    let WatchResponse::Events { revision, .. } = response else { return false };
    heard.insert(place, (at, WatchResponse::Progress { id: None, revision }));
    true
}

fn progress_back(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, place) = or_not!(any(history, rng));
    let heard = &mut history.watches[watch].heard;
    let (at, response) = heard[place].clone();
    let WatchResponse::Events { revision, .. } = response else { return false };
    heard.insert(place + 1, (at, WatchResponse::Progress { id: None, revision: revision - 1 }));
    true
}

fn goes_on(history: &mut History, rng: &mut Rng) -> bool {
    let truth = history.truth.clone();
    let truth = Truth::new(&truth, Limits::default()).unwrap();
    let compacted = |(watch, _): &(usize, usize)| match history.watches[*watch].heard[0].1 {
        WatchResponse::Created { revision, .. } => {
            let moment = *truth.moments_of(revision).unwrap().start();
            truth.compact_revision(moment) > 1
        }
        _ => false,
    };
    let (watch, _) = or_not!(pick(rng, told(history).into_iter().filter(compacted)));
    history.watches[watch].create.start_revision = 1;
    true
}

fn canceled(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, place) = or_not!(any(history, rng));
    let heard = &mut history.watches[watch].heard;
    let (at, response) = heard[place].clone();
    let WatchResponse::Events { id, revision, events, .. } = response else { return false };
    let next = events.last().unwrap().kv.mod_revision + 1;
    heard.truncate(place + 1);
    let (reason, compact_revision) = (Some(CancelReason::Compacted), Some(next));
    heard.push((at, WatchResponse::Canceled { id, reason, compact_revision, revision }));
    true
}

fn after_end(history: &mut History, rng: &mut Rng) -> bool {
    let (watch, place) = or_not!(any(history, rng));
    let heard = &mut history.watches[watch].heard;
    let (at, response) = heard[place].clone();
    let WatchResponse::Events { id, revision, .. } = response else { return false };
    let (reason, compact_revision) = (None, None);
    let end = WatchResponse::Canceled { id, reason, compact_revision, revision };
    heard.insert(place + 1, (at, end));
    heard.insert(place + 2, (at, WatchResponse::Created { id: WatchId(7), revision }));
    true
}

fn forgotten(history: &mut History, rng: &mut Rng) -> bool {
    let truth = history.truth.clone();
    let truth = Truth::new(&truth, Limits::default()).unwrap();
    let (watch, place) = or_not!(any(history, rng));
    let revision = events(history, (watch, place))[0].kv.mod_revision;
    let at = truth.at(truth.maker(revision).unwrap());
    let watch = &mut history.watches[watch];
    watch.heard.truncate(place);
    watch.open_at_end && at.0 + 5_000_000_000 <= history.ended_at.0
}
