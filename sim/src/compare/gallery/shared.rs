//! What all ways to a leader have in common, and where they differ.

use super::Story;
use super::stage::{Stage, Step, claim};
use crate::compare::record::name;
use crate::compare::{Contender, Scenario, Settings, trial};

pub(super) const STORIES: [Story; 4] = [
    Story {
        tag: "s2_04",
        title: "Raft: votes, terms, and the next leader at once",
        story: "Five nodes of Raft elect a leader by a majority of votes. Its machine is gone: \
                those who miss it longest stand in a higher term, and one of them leads. The old \
                leader returns, hears of the higher term, and follows.",
        play: |seed| Stage::new(Contender::PreVote, 5, seed).play(raft),
    },
    Story {
        tag: "s2_08",
        title: "one crash, three algorithms",
        story: "Five nodes, the leader's machine is gone: Raft (which is drawn), Zab and Bully in \
                turn, on the same network. Raft asks for votes and gets one answer each; Zab's \
                servers all tell all others whom they would follow; Bully asks whoever is higher. \
                Then the best node returns: only the classic Bully gives it the lead back. \
                `conclave sim compare` has all figures.",
        play: |seed| Stage::new(Contender::Raft, 5, seed).play(compared),
    },
    Story {
        tag: "s2_09",
        title: "two halves, and why odd numbers are advised",
        story: "Four nodes are split two and two: neither half has a majority, so nobody leads \
                until the split has healed. Three of five go on. A fourth node costs messages and \
                does not help against one more failure.",
        play: |seed| Stage::new(Contender::PreVote, 4, seed).play(halves),
    },
    Story {
        tag: "s2_10",
        title: "a deposed leader is refused by its epoch",
        story: "Three servers of Zab; the leader is cut off. It steps down when it has heard no \
                majority for as long as silence is borne, and the others elect one of a higher \
                epoch. At no time are two able to act: what the old one would still say carries \
                its old epoch, which a majority has promised not to follow any more. The split \
                heals, and it follows.",
        play: |seed| Stage::new(Contender::Zab, 3, seed).play(fenced),
    },
];

fn raft(stage: &mut Stage) -> Step {
    stage.start_all();
    let first = stage.settle()?;
    let term = stage.epoch();
    stage.note(format!("{} leads in term {term}", name(first)));
    let mark = stage.mark();
    stage.crash(first);
    let next = stage.settle()?;
    claim(next != first && stage.epoch() > term, || "no leader of a higher term".to_owned())?;
    let granted = stage.of_kind(mark, "VoteReply");
    claim(granted >= 2, || format!("{granted} answered to votes"))?;
    stage.note(format!("{} leads in term {}", name(next), stage.epoch()));
    stage.start(first);
    stage.pass(1_000);
    claim(stage.leader() == Some(next), || "who returned disturbed the leader".to_owned())?;
    let follows = stage.view(first).follows == Some(next);
    claim(follows, || "the old leader does not follow the new one".to_owned())?;
    stage.note(format!("{} follows {}", name(first), name(next)));
    Ok(())
}

fn compared(stage: &mut Stage) -> Step {
    stage.start_all();
    let leader = stage.settle()?;
    let mark = stage.mark();
    stage.crash(leader);
    let next = stage.settle()?;
    let votes = stage.of_kind(mark, "Vote") + stage.of_kind(mark, "VoteReply");
    stage.note(format!("Raft: {} leads after {votes} words about votes", name(next)));
    let settings = Settings::near();
    let crash = |who| trial::run(who, 5, Scenario::LeaderCrash, &settings, 1);
    let (raft, zab) = (crash(Contender::Raft), crash(Contender::Zab));
    let bully = crash(Contender::Classic);
    for (told, it) in [("Raft", &raft), ("Zab", &zab), ("Bully", &bully)] {
        let ms = it.serve.map_or(0, |time| time.as_millis());
        stage.note(format!("{told}: {} messages, serves after {ms} ms", it.messages()));
    }
    claim(raft.messages() >= 11, || format!("{} words of Raft, not 3·5−4", raft.messages()))?;
    let more = zab.messages() > raft.messages();
    claim(more, || "Zab took no more words than Raft".to_owned())?;
    stage.start(leader);
    stage.pass(1_000);
    claim(stage.leader() == Some(next), || "Raft's leader changed for a return".to_owned())?;
    stage.note("the one that returned follows");
    Ok(())
}

fn halves(stage: &mut Stage) -> Step {
    stage.start_all();
    let leader = stage.settle()?;
    let other = (leader + 1) % 4;
    let rest: Vec<usize> = (0..4).filter(|node| *node != leader && *node != other).collect();
    stage.note("four nodes, split two and two");
    stage.split(&[&[leader, other], &rest]);
    stage.pass(2_000);
    claim(stage.leader().is_none(), || "half of four is able to act".to_owned())?;
    stage.note("nobody leads: two are no majority of four");
    stage.heal();
    stage.settle()?;
    stage.note("healed: there is a leader again");
    let settings = Settings::near();
    let five = trial::run(Contender::PreVote, 5, Scenario::Split, &settings, 1);
    let acted = five.fault.unavailable < std::time::Duration::from_secs(1);
    claim(acted && five.fault.most_acting == 1, || "three of five do not go on".to_owned())?;
    let ms = five.fault.unavailable.as_millis();
    stage.note(format!("five nodes, split two and three: the three go on after {ms} ms"));
    Ok(())
}

fn fenced(stage: &mut Stage) -> Step {
    stage.start_all();
    let old = stage.settle()?;
    let epoch = stage.epoch();
    stage.note(format!("{} leads in epoch {epoch}", name(old)));
    let others: Vec<usize> = (0..3).filter(|node| *node != old).collect();
    stage.split(&[&others]);
    let next = stage.settle()?;
    let newer = stage.epoch();
    claim(next != old && newer > epoch, || "no leader of a higher epoch".to_owned())?;
    stage.note(format!("{} leads in epoch {newer}", name(next)));
    let mark = stage.mark();
    stage.heal();
    stage.until("the old leader to follow", |contest| contest.view(old).follows == Some(next))?;
    claim(stage.view(old).epoch == newer, || "it is of its old epoch still".to_owned())?;
    claim(stage.most_serving(mark) == 1, || "two took themselves for leaders".to_owned())?;
    claim(stage.leader() == Some(next), || "the leader changed for a return".to_owned())?;
    stage.note(format!("{} follows, in epoch {newer}", name(old)));
    Ok(())
}
