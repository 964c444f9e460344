//! Bully: who is highest leads.

use super::Story;
use super::stage::{Stage, Step, Stop, claim};
use crate::compare::Contender;
use crate::compare::member::{Input, Member};

pub(super) const STORIES: [Story; 3] = [
    Story {
        tag: "s2_01",
        title: "the highest live id wins",
        story: "Four nodes of Bully as textbooks tell it. Everybody knows all ids by gossip. The \
                highest, n4, leads. Its machine is gone; whoever misses it asks all higher ones \
                (Election), who say that they live (Alive) and ask in turn, until one hears no \
                answer and tells everybody (Victory): n3, the highest that lives. n4 returns, and \
                bullies its way back.",
        play: |seed| Stage::new(Contender::Classic, 4, seed).play(highest),
    },
    Story {
        tag: "s2_02",
        title: "the rank is the time of the last operation",
        story: "Bully as MongoDB bent it: not the id counts but how fresh the state is, and the id \
                only between equals. n1 has seen operation 9, n2 operation 7, n3 operation 5. n1 \
                leads, with the lowest id of all; when its machine is gone, n2 does, and not n3.",
        play: |seed| Stage::new(Contender::Classic, 3, seed).play(freshest),
    },
    Story {
        tag: "s2_03",
        title: "a flapping highest node, and who is disturbed by it",
        story: "Three nodes; the highest one comes and goes three times. In the classic mode every \
                coming and going changes the leader, six times in all. Then the same in the safe \
                mode, whose leader goes on once it leads: one change, the first.",
        play: |seed| flapping(seed),
    },
];

fn highest(stage: &mut Stage) -> Step {
    stage.start_all();
    stage.led_by(3)?;
    stage.note("n4, the highest of all, leads");
    let mark = stage.mark();
    stage.crash(3);
    stage.led_by(2)?;
    stage.note("n3, the highest that lives, leads");
    for kind in ["Election", "Victory"] {
        claim(stage.of_kind(mark, kind) > 0, || format!("nobody said {kind}"))?;
    }
    let told = stage.sent(mark, |from, _, kind, _| kind == "Victory" && from == 2);
    claim(told >= 2, || format!("n3 told {told} of its victory"))?;
    let by_higher = stage.sent(mark, |from, to, kind, _| kind == "Alive" && from < to);
    claim(by_higher == 0, || "a lower one answered a higher one".to_owned())?;
    stage.start(3);
    stage.led_by(3)?;
    stage.note("n4 is back, and leads at once");
    Ok(())
}

fn freshest(stage: &mut Stage) -> Step {
    for node in 0..3 {
        if let Member::Bully(candidate) = stage.member(node) {
            candidate.rank_by_freshness();
        }
    }
    stage.start_all();
    for (node, operation) in [(0, 9), (1, 7), (2, 5)] {
        stage.tell(node, Input::Fresh(operation));
    }
    stage.note("n1 has seen operation 9, n2 operation 7, n3 operation 5");
    stage.led_by(0)?;
    stage.note("n1 leads: its state is the freshest");
    stage.crash(0);
    stage.led_by(1)?;
    stage.note("n2 leads, though n3 has the higher id");
    Ok(())
}

/// How often another node came to lead while the highest one came and went.
fn changes(stage: &mut Stage) -> Result<usize, Stop> {
    stage.start_all();
    let mut leader = stage.settle()?;
    let mut changes = 0;
    for _ in 0..3 {
        for up in [false, true] {
            if up {
                stage.start(2)
            } else {
                stage.crash(2)
            }
            stage.pass(600);
            let now = stage.settle()?;
            changes += usize::from(now != leader);
            leader = now;
        }
    }
    Ok(changes)
}

fn flapping(seed: u64) -> super::Played {
    let mut stage = Stage::new(Contender::Classic, 3, seed);
    let mut sticky = Stage::new(Contender::Safe, 3, seed);
    let verdict = changes(&mut stage).and_then(|classic| {
        stage.note(format!("the classic mode: {classic} changes"));
        claim(classic == 6, || format!("{classic} changes in the classic mode"))?;
        let safe = changes(&mut sticky)?;
        stage.note(format!("the safe mode, with the same comings and goings: {safe}"));
        claim(safe <= 1, || format!("{safe} changes in the safe mode"))
    });
    (stage, verdict)
}
