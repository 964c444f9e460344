//! The life of a write, and the deaths of leaders in the middle of it.

use super::Scenario;
use super::stage::{Stage, Step, claim, ms, options, plain};
use crate::trace::name;

macro_rules! stages {
    ($($tag:literal $play:ident $title:literal $story:literal)*) => {
        pub(super) const SCENARIOS: [Scenario; 8] = [
            Scenario {
                tag: "s1_15",
                title: "One index and term: one command, and one past",
                story: "A leader that is cut off and its successor append different commands at \
                        the same index, in different terms. Wherever two logs have an entry of the \
                        same index and term, it is the same command, and so is all before it: \
                        while they differ, and when they are equal again.",
                routine: false,
                open: |seed| Stage::new(plain(3), seed),
                play: s1_15,
            },
            Scenario {
                tag: "s1_17",
                title: "Six moments at which a leader can die during a write",
                story: "One after the other, with what becomes of the write and of the client: \
                        before it arrives, before it is replicated, replicated to all, to some, \
                        committed, and known by all to be committed.",
                routine: false,
                open: |seed| Stage::new(options(3), seed),
                play: s1_17,
            },
            $(Scenario {
                tag: $tag,
                title: $title,
                story: $story,
                routine: false,
                open: |seed| Stage::new(options(3), seed),
                play: $play,
            },)*
        ];
    };
}

stages! {
    "s1_17a" s1_17a "A leader dies before the write arrives"
    "The client finds nobody. Nothing has happened, and it may ask the next leader."
    "s1_17b" s1_17b "A leader dies before it replicates the write"
    "The entry stands in the dead leader's log alone. It is not committed, nobody was told that it \
     was, and the next leader's entries replace it."
    "s1_17c" s1_17c "A leader dies when all followers have the write"
    "No follower has told the leader yet, so the client knows nothing. But whoever is elected has \
     the entry, and commits it together with the first entry of its own term."
    "s1_17d" s1_17d "A leader dies when some followers have the write"
    "One follower has the entry, one has not. Only the one with the newer log can be elected; the \
     entry survives, and the other follower gets it."
    "s1_17e" s1_17e "A leader dies when the write is committed and nobody else knows"
    "The leader has counted a majority and dies before it tells the followers. The entry is on a \
     majority, so no leader can be elected without it."
    "s1_17f" s1_17f "A leader dies when the write is applied and the client was not told"
    "The client asked a follower that is cut off from the news. The leader and the other follower \
     have applied the write when the leader dies; the next leader tells the one that was asked, \
     which answers. A client that gave up meanwhile finds its write when it asks again."
}

fn s1_15(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    stage.world.partition(&[&[1], &[0, 2]]);
    stage.put(1, "x", "old");
    let next = stage.another(1, &[0, 2])?;
    stage.write(next, "x", "new")?;
    stage.note("The logs differ: the same index, other terms, other commands.");
    let differ = (0..3).any(|at| stage.terms(at) != stage.terms(next));
    claim(differ, || "the logs do not differ".into())?;
    claim_matching(stage)?;
    stage.world.heal();
    stage.settle()?;
    stage.note("Equal in the end. At no time had two logs other pasts below an equal entry.");
    claim_matching(stage)?;
    stage.claim_equal_logs()
}

/// Log Matching (Raft §5.3), on the durable logs.
fn claim_matching(stage: &Stage) -> Step {
    let mut compared = 0;
    for one in 0..3 {
        for two in one + 1..3 {
            let (left, right) = (stage.world.log(one), stage.world.log(two));
            let equal = |place: &usize| left[*place].position == right[*place].position;
            let Some(last) = (0..left.len().min(right.len())).rev().find(equal) else { continue };
            compared += 1;
            claim(left[..=last] == right[..=last], || {
                format!("{} and {} differ below an equal entry", name(one), name(two))
            })?;
        }
    }
    claim(compared == 3, || "there was nothing to compare".into())
}

const ACTS: [fn(&mut Stage) -> Step; 6] = [s1_17a, s1_17b, s1_17c, s1_17d, s1_17e, s1_17f];

fn s1_17(stage: &mut Stage) -> Step {
    for (number, act) in ACTS.into_iter().enumerate() {
        let lines = stage.lines().count();
        act(stage)?;
        claim(stage.lines().count() > lines || number == 0, || "an act is missing".into())?;
    }
    stage.claim_equal_logs()?;
    stage.claim_one_leader_a_term()
}

/// Sets the scene of an act: a leader, nothing under way. The first act raises the curtain.
fn begin(stage: &mut Stage, note: &str) -> Step<usize> {
    if stage.is_set() {
        stage.settle()?;
        stage.pass(ms(30));
    } else {
        stage.led_by(1)?;
    }
    stage.note(note);
    stage.leader()
}

/// The leader is dead: the others elect one, and the dead one comes back.
fn end(stage: &mut Stage, old: usize) -> Step<usize> {
    let others: Vec<usize> = (0..3).filter(|at| *at != old).collect();
    let next = stage.successor(old, &others)?;
    stage.world.heal();
    stage.world.start(old);
    stage.settle()?;
    Ok(next)
}

fn others(old: usize) -> [usize; 2] {
    match old {
        0 => [1, 2],
        1 => [0, 2],
        _ => [0, 1],
    }
}

fn claim_kept(stage: &Stage, key: &str, kept: bool) -> Step {
    for at in 0..3 {
        claim(stage.find(at, key, "1").is_some() == kept, || {
            let should = if kept { "should have" } else { "should not have" };
            format!("{} {should} {key}=1 in its log", name(at))
        })?;
    }
    Ok(())
}

fn s1_17a(stage: &mut Stage) -> Step {
    let old = begin(stage, "1. The leader dies before the write arrives.")?;
    stage.world.crash(old);
    let write = stage.put(old, "a", "1");
    let next = end(stage, old)?;
    stage.claim_not_done(write)?;
    claim_kept(stage, "a", false)?;
    stage.write(next, "a", "1")
}

fn s1_17b(stage: &mut Stage) -> Step {
    let old = begin(stage, "2. The leader has the write, and dies before it replicates it.")?;
    let [one, two] = others(old);
    stage.world.partition(&[&[old], &[one, two]]);
    let write = stage.put(old, "b", "1");
    stage.pass(ms(4));
    claim(stage.find(old, "b", "1").is_some(), || "the leader does not have it".into())?;
    stage.world.crash(old);
    end(stage, old)?;
    stage.claim_not_done(write)?;
    claim_kept(stage, "b", false)
}

fn s1_17c(stage: &mut Stage) -> Step {
    let old = begin(stage, "3. All followers have the write; none has said so yet.")?;
    let [one, two] = others(old);
    stage.world.cut_links("answers", &[(one, old), (two, old)]);
    let write = stage.put(old, "c", "1");
    stage.pass(ms(8));
    claim([one, two].iter().all(|at| stage.find(*at, "c", "1").is_some()), || {
        "a follower does not have it".into()
    })?;
    stage.world.crash(old);
    end(stage, old)?;
    stage.claim_not_done(write)?;
    claim_kept(stage, "c", true)
}

fn s1_17d(stage: &mut Stage) -> Step {
    let old = begin(stage, "4. One follower has the write, the other has not.")?;
    let [one, two] = others(old);
    stage.world.cut_links("partly", &[(old, two), (one, old)]);
    let write = stage.put(old, "d", "1");
    stage.pass(ms(8));
    let has = [one, two].map(|at| stage.find(at, "d", "1").is_some());
    claim(has == [true, false], || format!("the wrong followers have it: {has:?}"))?;
    stage.world.crash(old);
    let next = end(stage, old)?;
    claim(next == one, || format!("{} leads without the write", name(next)))?;
    stage.claim_not_done(write)?;
    claim_kept(stage, "d", true)
}

fn s1_17e(stage: &mut Stage) -> Step {
    let old = begin(stage, "5. The write is committed; only the leader knows.")?;
    let before = stage.view(old)?.commit;
    let write = stage.put(old, "e", "1");
    stage.wait("commitment", |world| world.view(old).is_some_and(|view| view.commit > before))?;
    let known =
        others(old).iter().any(|at| stage.world.view(*at).is_some_and(|view| view.commit > before));
    claim(!known, || "a follower knows already".into())?;
    stage.world.crash(old);
    end(stage, old)?;
    // The answer had left the leader along with the commitment.
    stage.claim_done(write)?;
    claim_kept(stage, "e", true)
}

fn s1_17f(stage: &mut Stage) -> Step {
    let old = begin(stage, "6. Committed and applied; but the client was not told.")?;
    // The client asks a follower, which does not hear that its command is committed.
    let [asked, other] = others(old);
    stage.world.cut_links("the news", &[(old, asked)]);
    let before = stage.view(old)?.last.index.0;
    let write = stage.put(asked, "f", "1");
    stage.wait("both to apply it", |world| {
        let applied = |at| world.view(at).is_some_and(|view| view.applied.index.0 > before);
        applied(old) && applied(other)
    })?;
    claim(stage.find(other, "f", "1").is_some(), || "the write is not there".into())?;
    stage.claim_not_done(write)?;
    stage.world.crash(old);
    end(stage, old)?;
    claim_kept(stage, "f", true)?;
    stage.note("The node that was asked got the entry from the next leader, and answers.");
    stage.done(write)?;
    let again = stage.get(asked, "f", false);
    stage.done(again)?;
    stage.claim_value(again, "1")
}
