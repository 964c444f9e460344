//! Which processes are started, and how they are announced.

use super::*;
use crate::cli::Cli;
use clap::Parser;

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Parsed {
    #[command(flatten)]
    local: Local,
}

fn members(arguments: &[&str]) -> Vec<Member> {
    Parsed::try_parse_from(arguments).unwrap().local.members().unwrap()
}

#[test]
fn members_have_ports_and_directories_of_their_own() {
    let members = members(&["--dir", "/d", "--base-port", "7000"]);
    let doors = || members.iter().filter_map(|member| member.doors);
    let clients: Vec<_> = doors().map(|doors| doors.client.port()).collect();
    let peers: Vec<_> = doors().map(|doors| doors.peer.port()).collect();
    assert_eq!((clients, peers), (vec![7000, 7010, 7020], vec![7001, 7011, 7021]));
    assert_eq!(members[2].data_dir, PathBuf::from("/d/n3"));
}

#[test]
fn ports_beyond_the_last_one_are_refused() {
    for base in ["65520", "65535"] {
        let local = Parsed::try_parse_from(["--dir", "/d", "--base-port", base]).unwrap().local;
        assert!(local.members().unwrap_err().text().contains("choose a lower one"), "{base}");
    }
}

#[test]
fn a_restart_line_is_a_command_that_this_binary_takes() {
    let members = members(&["--dir", "/a dir/it's", "--", "--profile", "lan-fast"]);
    let line = members[1].restart(&members);
    assert!(line.contains("'/a dir/it'\\''s/n2'"), "{line}");
    let mut arguments: Vec<_> = members[1].arguments(&members).into_iter().collect();
    arguments.insert(0, "conclave".into());
    Cli::try_parse_from(&arguments).unwrap();
    assert!(line.contains("--bootstrap-expect 3 --join 127.0.0.1:2381,127.0.0.1:2401"), "{line}");
    assert!(!line.contains("exit-with-stdin"));
}

#[test]
fn programs_get_one_line_with_every_field() {
    let members = members(&["--dir", "/d", "--servers", "1", "--agents", "1"]);
    let line = document(&members, &[7, 8]).to_string();
    assert!(!line.contains('\n'));
    let document: Value = serde_json::from_str(&line).unwrap();
    let member = &document["members"][0];
    assert_eq!(
        (&member["name"], &member["role"], &member["pid"]),
        (&json!("n1"), &json!("server"), &json!(7))
    );
    assert_eq!(member["etcd"], "http://127.0.0.1:2379");
    assert_eq!(member["peer"], "http://127.0.0.1:2380");
    assert_eq!(member["gossip"], "127.0.0.1:2381");
    assert_eq!(member["http"], "http://127.0.0.1:2382");
    let agent = &document["members"][1];
    assert_eq!((&agent["name"], &agent["role"]), (&json!("a1"), &json!("agent")));
    assert_eq!(agent["gossip"], "127.0.0.1:2391");
    for (member, nothing) in [(member, "dns"), (agent, "dns"), (agent, "etcd"), (agent, "peer")] {
        assert!(member.as_object().unwrap().contains_key(nothing) && member[nothing].is_null());
    }
}

#[test]
fn members_of_an_earlier_version_go_on_with_their_list() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("n1")).unwrap();
    std::fs::write(dir.path().join("n1/FORMAT"), "").unwrap();
    let members = members(&["--dir", dir.path().to_str().unwrap(), "--servers", "2"]);
    let line = members[1].restart(&members);
    assert!(line.contains("--initial-cluster n1=127.0.0.1:2380,n2=127.0.0.1:2390"), "{line}");
    assert!(!line.contains("--bootstrap-expect"), "{line}");
}
