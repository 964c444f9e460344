//! Reading the newest data, and what weaker reads give.

use super::Scenario;
use super::stage::{Stage, Step, claim, options};
use crate::trace::Kind;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    tag: "s1_06",
    title: "Reading the newest data",
    story: "A linearizable read may go to any node: it asks the leader for the read index, the \
            leader proves by a round of heartbeats that it still leads, and the node answers when \
            it has applied that far. A serializable read asks nobody; on a node that is cut off \
            it gives old data, while the linearizable read waits.",
    routine: false,
    open: |seed| Stage::new(options(3), seed),
    play: s1_06,
}];

fn s1_06(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    stage.write(1, "x", "1")?;
    stage.settle()?;
    stage.pass(super::stage::ms(20));
    stage.note("A linearizable read at a follower: one round of messages through the leader.");
    let read = stage.get(0, "x", false);
    stage.done(read)?;
    stage.claim_value(read, "1")?;
    claim(stage.arrived(Kind::Read, 1) >= 1, || "the leader was not asked".into())?;
    stage.world.partition(&[&[0, 1], &[2]]);
    stage.write(1, "x", "2")?;
    let weak = stage.get(2, "x", true);
    let strong = stage.get(2, "x", false);
    stage.done(weak)?;
    stage.claim_value(weak, "1")?;
    stage.note("n3 is cut off: its serializable read is old, its linearizable read waits.");
    stage.pass(super::stage::ms(60));
    claim(stage.world.reply(strong).is_none(), || "n3 answered without the leader".into())?;
    stage.world.heal();
    stage.wait("the read", |world| world.reply(strong).is_some())?;
    stage.claim_value(strong, "2")
}
