//! Agents of Serf in the same pool.

use crate::stage::{Stage, WORK};
use crate::support::agent::{Lists as _, Space, shows};
use crate::support::eventually;
use crate::support::serf::{Serf, find};

#[test]
fn agents_of_serf_do_not_mind_elections_even_when_letters_come_to_them() {
    let Some(program) = find() else { return };
    let mut stage = Stage::new(0);
    for _ in 0..3 {
        stage.add(&["--groups", "g:expect=3,ttl=2s"]);
    }
    let tag = eventually("an agent to say in which groups it is", || {
        let members = stage.agents[0].members();
        members.iter().find_map(|member| member.tags.get("groups").cloned())
    });
    let (space, join) = (Space::default(), format!("-join={}", stage.agents[0].gossip));
    // Nobody writes to one that does not show the tag. This one does, and gets letters.
    let tag = format!("groups={tag}");
    let serf = Serf::start(&program, &space, stage.dir.path(), "s", &[&join, "-tag", &tag]);
    shows(&stage.agents[0], "s", "alive");
    let mut first = stage.stands(0, "first", &["g"], WORK);
    let (_, fence) = stage.leader("first");
    let _second = stage.stands(1, "second", &["g"], WORK);
    first.signal("TERM");
    first.end();
    assert!(stage.leader("second").1 > fence);
    eventually("serf to have got a letter", || {
        serf.log().contains("unknown type: 192").then_some(())
    });
    assert_eq!(serf.list().iter().filter(|member| member.status == "alive").count(), 4);
    let errors: Vec<String> =
        serf.log().lines().filter(|line| line.contains("[ERR]")).map(str::to_owned).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
