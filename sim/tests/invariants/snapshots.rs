//! The laws about states that take the place of others, and logs that begin anew behind them.

use protocol::Index;
use protocol::raft::{Body, Restored, Role};
use sim::seen::Seen;

use super::stage::{Stage, append, breaks, empty, found, hard, position, put};

const LAW: &str = "RI14 snapshots";

/// Nodes 0 and 1 have committed three entries of term 1; node 2 holds the first, and two of its own
/// that came to nothing where `astray`.
fn stage(astray: bool) -> Stage {
    let mut stage = Stage::led_and_trimmed();
    for at in [0, 1] {
        stage.write(at, hard(1, Some(0), 0), &[put((2, 1), "a"), put((3, 1), "b")]).unwrap();
    }
    if astray {
        stage
            .write(2, hard(2, Some(2), 0), &[empty((2, 2)), empty((3, 2)), empty((4, 2))])
            .unwrap();
    }
    let mut view = stage.view(0, Role::Leader, 1, 3, 3);
    view.revision = 3;
    stage.look(0, &view).unwrap();
    stage.flush(0, (3, 1));
    stage
}

/// What a disk gives back whose log begins after `at`, as the state does.
fn anew(term: u64, at: (u64, u64)) -> Restored {
    let (base, applied) = (position(at), Index(at.0));
    Restored { base, applied, ..found(hard(term, Some(0), at.0), &[]) }
}

#[test]
fn ri14_a_state_that_is_not_ahead() {
    let stage = stage(false);
    stage.clone().install(2, (3, 1)).unwrap();
    // Its own state, and an older one.
    breaks(LAW, stage.clone().install(0, (3, 1)));
    breaks(LAW, stage.clone().install(0, (2, 1)));
    // Nobody has committed that, or nobody yet.
    breaks(LAW, stage.clone().install(2, (3, 2)));
    breaks(LAW, stage.clone().install(2, (4, 1)));
    // It grew meanwhile; and one that nobody wanted.
    let mut late = stage.clone();
    late.see(&Seen::Installing { at: 2, last: position((2, 1)) }).unwrap();
    late.flush(2, (2, 1));
    breaks(LAW, late.see(&Seen::Installed { at: 2, last: position((2, 1)) }));
    breaks(LAW, stage.clone().see(&Seen::Installed { at: 2, last: position((3, 1)) }));
}

#[test]
fn ri14_a_log_that_begins_anew_too_early() {
    let mut stage = stage(false);
    breaks(LAW, stage.clone().reset(2, hard(1, Some(0), 3), (3, 1)));
    stage.see(&Seen::Installing { at: 2, last: position((3, 1)) }).unwrap();
    breaks(LAW, stage.clone().reset(2, hard(1, Some(0), 3), (3, 1)));
    stage.see(&Seen::Installed { at: 2, last: position((3, 1)) }).unwrap();
    breaks(LAW, stage.clone().reset(2, hard(1, Some(0), 3), (3, 2)));
    stage.reset(2, hard(1, Some(0), 3), (3, 1)).unwrap();
    stage.sync(2).unwrap();
    assert_eq!(stage.laws.ghosts().nodes()[2].durable.last(), position((3, 1)));
}

#[test]
fn what_a_log_must_not_give_up_for_a_state() {
    // What it acknowledged in this term.
    let mut stage = stage(false);
    stage.write(2, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    stage.clone().install(2, (3, 1)).unwrap();
    stage.say(2, 0, 1, Body::AppendAccepted { matched: Index(2) }).unwrap();
    let mut early = stage.clone();
    early.install(2, (1, 1)).unwrap();
    breaks("RI8 acknowledgement implies durable", early.reset(2, hard(1, Some(0), 1), (1, 1)));
    // What it holds and is committed.
    let mut held = stage.clone();
    held.crash(2);
    let log = [empty((1, 1)), put((2, 1), "a")];
    held.start(2, &found(hard(1, Some(0), 0), &log)).unwrap();
    held.install(2, (1, 1)).unwrap();
    breaks("RI5 state machine safety", held.reset(2, hard(1, Some(0), 1), (1, 1)));
    held.install(2, (3, 1)).unwrap();
    held.reset(2, hard(1, Some(0), 3), (3, 1)).unwrap();
    // What it has led.
    let mut leads = self::stage(true);
    leads.turn(2, Role::Leader, 2, 0, 0).expect_err("it lacks what is committed");
    let mut led = self::stage(true);
    led.install(2, (3, 1)).unwrap();
    led.say(2, 0, 2, Body::Heartbeat { round: 1, commit: Index(0), trim: Index(0) }).unwrap();
    let told = led.reset(2, hard(2, Some(2), 3), (3, 1));
    breaks("RI2 leader append-only", told);
}

#[test]
fn recovery_of_a_log_that_began_anew() {
    let law = "recovery";
    let mut stage = stage(true);
    let old = [empty((1, 1)), empty((2, 2)), empty((3, 2)), empty((4, 2))];
    let before = || found(hard(2, Some(2), 0), &old);
    let after = || Restored { hard_state: hard(2, Some(2), 3), ..anew(2, (3, 1)) };
    let crashed = |stage: &Stage| {
        let mut stage = stage.clone();
        stage.crash(2);
        stage
    };
    // Nobody has said that it begins there.
    breaks(law, crashed(&stage).start(2, &after()));
    stage.see(&Seen::Installing { at: 2, last: position((3, 1)) }).unwrap();
    // The state may be there and not be known to be; then the log follows it, whole.
    crashed(&stage).start(2, &before()).unwrap();
    crashed(&stage).start(2, &after()).unwrap();
    breaks(law, crashed(&stage).start(2, &anew(2, (2, 1))));
    stage.see(&Seen::Installed { at: 2, last: position((3, 1)) }).unwrap();
    stage.reset(2, hard(2, Some(2), 3), (3, 1)).unwrap();
    stage.hand(2, hard(2, Some(2), 3), &[empty((4, 1))]).unwrap();
    crashed(&stage).start(2, &after()).unwrap();
    // Of what came behind it, any part; of what was before it, nothing.
    let entry = |entry: &protocol::raft::Entry| {
        let terms = vec![(entry.position.index, entry.position.term)];
        Restored { terms, entries: vec![entry.clone()], ..after() }
    };
    crashed(&stage).start(2, &entry(&empty((4, 1)))).unwrap();
    breaks(law, crashed(&stage).start(2, &entry(&old[3])));
    // Once it is confirmed, so is what came behind it.
    stage.sync(2).unwrap();
    crashed(&stage).start(2, &entry(&empty((4, 1)))).unwrap();
    breaks(law, crashed(&stage).start(2, &before()));
    breaks(law, crashed(&stage).start(2, &after()));
}

#[test]
fn what_an_installed_state_lets_a_node_know() {
    // RI11 and the order of indexes: it covers committed entries, ahead of the log.
    let mut stage = stage(false);
    let mut view = stage.view(2, Role::Follower, 1, 1, 0);
    view.commit = Index(1);
    breaks("RI11 verified commit", stage.clone().look(2, &view));
    stage.install(2, (3, 1)).unwrap();
    stage.reset(2, hard(1, Some(0), 3), (3, 1)).unwrap();
    let mut view = stage.view(2, Role::Follower, 1, 3, 3);
    view.revision = 3;
    stage.clone().look(2, &view).unwrap();
    let mut beyond = view;
    beyond.commit = Index(4);
    breaks("RI11 verified commit", stage.clone().look(2, &beyond));
    // A piece of what the log holds, from the leader of the term, and from that of another.
    let mut piece = self::stage(false);
    let body =
        || Body::Snapshot { last: position((1, 1)), number: 0, data: "x".into(), done: true };
    let view = piece.view(2, Role::Follower, 1, 1, 0);
    let mut old = piece.clone();
    old.hear(0, 2, 2, append((0, 0), &[], 0));
    old.hear(0, 2, 1, body());
    breaks("RI11 verified commit", old.look(2, &view));
    piece.hear(0, 2, 1, body());
    piece.look(2, &view).unwrap();
}
