//! Zab: votes that everybody can compare.

use super::Story;
use super::stage::{Stage, Step, claim, dice};
use crate::compare::member::Member;
use crate::compare::record::name;
use crate::compare::{Contender, Scenario, Settings, trial};
use protocol::zab::Role;

pub(super) const STORIES: [Story; 3] = [
    Story {
        tag: "s2_05",
        title: "a leader, followers and an observer",
        story: "Four servers of Zab, of which n4 has no vote. All of them look for a leader; then \
                one of the three leads, two follow, and n4 observes: it learns what is decided, \
                and counts for nothing. With the leader gone the other two elect one of them; n4 \
                follows again. With one more gone there is no majority, whatever n4 could say.",
        play: |seed| Stage::new(Contender::Zab, 4, seed).play(roles),
    },
    Story {
        tag: "s2_06",
        title: "three servers elect by Zab, step by step",
        story: "The seed's own example. First step: three servers start, all in round 1, with \
                nothing in their histories and of epoch 0, and each votes for itself and says so \
                to both others. Second step: epochs and histories are equal, so the higher id \
                counts: n1 and n2 hear of n3, change their votes to it, and say so again. Third \
                step: all three ballot boxes hold three votes for n3, nothing better comes for a \
                while, and n3 leads; n1 and n2 follow it.",
        play: |seed| Stage::new(Contender::Zab, 3, seed).play(walk_through),
    },
    Story {
        tag: "s2_07",
        title: "n·(n−1) messages in the first round",
        story: "Five servers start at once. Each says its vote to the four others: twenty \
                messages before anybody has heard anything. With three servers it is six, with \
                seven forty-two. What follows depends on who hears of whom first.",
        play: |seed| Stage::new(Contender::Zab, 5, seed).play(opening),
    },
];

fn role(stage: &mut Stage, node: usize) -> Option<Role> {
    match stage.member(node) {
        Member::Zab(peer) => peer.role(),
        Member::Raft(_) | Member::Bully(_) => None,
    }
}

fn roles(stage: &mut Stage) -> Step {
    for node in 0..4 {
        if let Member::Zab(peer) = stage.member(node) {
            peer.observe(&[3]);
        }
    }
    stage.start_all();
    for node in 0..4 {
        let looks = role(stage, node) == Some(Role::Looking);
        claim(looks, || format!("{} does not begin by looking", name(node)))?;
    }
    stage.note("all are looking");
    let leader = stage.settle()?;
    claim(leader < 3, || "an observer leads".to_owned())?;
    for node in (0..3).filter(|node| *node != leader) {
        let follows = role(stage, node) == Some(Role::Following);
        claim(follows, || format!("{} does not follow", name(node)))?;
    }
    let observes = role(stage, 3) == Some(Role::Observing);
    claim(observes, || "n4 does not observe".to_owned())?;
    stage.note(format!("{} leads, two follow, n4 observes", name(leader)));
    let votes = stage.sent(0, |from, _, _, text| from == 3 && text.contains("looking 4"));
    claim(votes == 0, || "an observer voted".to_owned())?;
    stage.crash(leader);
    let next = stage.settle()?;
    claim(next < 3 && next != leader, || format!("{} leads", name(next)))?;
    stage.note(format!("{} leads, elected by two of three", name(next)));
    stage.crash(next);
    stage.pass(2_000);
    let left = (0..3).find(|node| *node != leader && *node != next).unwrap_or(0);
    let alone = role(stage, left) == Some(Role::Looking);
    claim(alone && stage.leader().is_none(), || "a minority and an observer elected".to_owned())?;
    stage.note("one of three and an observer: nobody leads");
    Ok(())
}

/// Votes for `whom` that `from` has said in round 1 while it was looking.
fn votes(stage: &Stage, from: usize, whom: usize) -> usize {
    let words = format!("round=1 looking {} (epoch 0, 0@0)", whom + 1);
    stage.sent(0, |by, _, _, text| by == from && text.contains(&words))
}

fn walk_through(stage: &mut Stage) -> Step {
    stage.start_all();
    for node in 0..3 {
        let said = votes(stage, node, node);
        claim(said == 2, || format!("{} said its own vote {said} times", name(node)))?;
    }
    claim(stage.of_kind(0, "Notification") == 6, || "more was said than 3·2 words".to_owned())?;
    stage.note("step 1: n1 votes (1, 0@0, epoch 0), n2 votes (2, …), n3 votes (3, …)");
    stage.until("votes for n3", |contest| {
        let said = |from: usize| {
            let words = "round=1 looking 3 (epoch 0, 0@0)";
            contest.record().iter().any(|seen| {
                matches!(&seen.what, crate::compare::record::What::Sent { from: by, text, .. }
                    if *by == from && text.contains(words))
            })
        };
        said(0) && said(1)
    })?;
    // Had n2's vote come first, n1 would have changed its own twice.
    dice(votes(stage, 0, 1) == 0, "n1 hears of n3 before it hears of n2")?;
    stage.note("step 2: n1 and n2 change their votes to (3, 0@0, epoch 0), and say so again");
    for node in 0..2 {
        let said = votes(stage, node, 2);
        claim(said == 2, || format!("{} said its new vote {said} times", name(node)))?;
    }
    stage.pass(10);
    let words = stage.of_kind(0, "Notification");
    claim(words == 10, || format!("{words} words, and not 6 and 4"))?;
    stage.note("every ballot box: n1 → 3, n2 → 3, n3 → 3");
    stage.led_by(2)?;
    for node in 0..2 {
        let follows = role(stage, node) == Some(Role::Following);
        claim(follows, || format!("{} does not follow", name(node)))?;
    }
    claim(role(stage, 2) == Some(Role::Leading), || "n3 does not lead".to_owned())?;
    stage.note("step 3: n3 is leading, n1 and n2 are following");
    Ok(())
}

fn opening(stage: &mut Stage) -> Step {
    stage.start_all();
    let words = stage.of_kind(0, "Notification");
    claim(words == 20, || format!("{words} words of the first round, and not 5·4"))?;
    stage.note("five servers: 20 words before anybody has heard one");
    for nodes in [3, 7] {
        let settings = Settings::near();
        let trial = trial::run(Contender::Zab, nodes, Scenario::ColdStart, &settings, 1);
        let wanted = u64::try_from(nodes * (nodes - 1)).unwrap_or(0);
        let found = trial.opening;
        claim(found == wanted, || format!("{found} words of {nodes} servers, not {wanted}"))?;
        stage.note(format!("{nodes} servers: {found}"));
    }
    stage.led_by(4)?;
    let all = stage.of_kind(0, "Notification");
    stage.note(format!("n5 leads, after {all} words in all"));
    Ok(())
}
