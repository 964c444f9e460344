//! A survivor that has lost a part itself.

use tokio::runtime::Runtime;

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::harm::{entries, flip};
use crate::{content, fails, heir, recover, text};

const PUTS: u64 = 40;

#[test]
fn what_the_survivor_has_lost_is_given_up_only_when_told_to() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let client = cluster.any_client();
    for number in 0..PUTS {
        let put = || runtime.block_on(client.put(format!("k/{number:02}"), "v")).ok();
        eventually("a put", put);
    }
    let revision = runtime.block_on(client.get("k/00")).unwrap().unwrap().mod_revision;
    (0..3).for_each(|at| cluster.kill(at));
    let (from, to) = (cluster.members[0].dir.clone(), heir(&cluster, 0));
    // The end of its log: nobody can tell it from a write that was never confirmed.
    let (index, file, offset) = entries(&from).pop().unwrap();
    flip(&from.join("log").join(file), offset);
    let before = content(&from);
    let said = fails(&["recover", text(&from), "--data-dir", text(&to), "--yes"]);
    assert!(
        said.contains("MISSING") && said.contains("which may have been acknowledged"),
        "{said}"
    );
    assert!(said.contains("otherwise --accept-loss goes on without them"), "{said}");
    assert!(!to.exists() || content(&to).is_empty(), "nothing was begun");
    let told = recover(&cluster, 0, &["--accept-loss"]);
    assert_eq!(content(&from), before, "the survivor's directory is as it was");
    assert_eq!(told["raft_index"].as_u64().unwrap(), index - 1, "{told}");
    cluster.members[0].dir = to;
    cluster.run(0);
    cluster.await_answer(0);
    let client = cluster.client(0);
    let last = told["revision"].as_i64().unwrap();
    for number in 0..PUTS {
        let key = format!("k/{number:02}");
        let found = runtime.block_on(client.get(key.clone())).unwrap();
        let kept = revision + i64::try_from(number).unwrap() <= last;
        assert_eq!(found.is_some(), kept, "{key} of revision {revision} and on, to {last}");
    }
    assert!(last < revision + i64::try_from(PUTS).unwrap() - 1, "the last puts are gone");
    eventually("a put", || runtime.block_on(client.put("after", "all")).ok());
    cluster.assert_unharmed();
}
