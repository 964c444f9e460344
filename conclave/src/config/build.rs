//! From settings to a server's configuration.

use std::time::Duration;

use server::{BackupSchedule, Config, Consensus, InitialMember, Reads};

use super::settings::{ClusterState, Profile, Settings};
use crate::failure::{Failure, Result};

/// The time from one backup to the next, unless another is given.
const BACKUP_INTERVAL: Duration = Duration::from_secs(3600);
/// How many backups are kept, unless another number is given.
const BACKUP_KEEP: usize = 24;

/// Fills in the defaults, and refuses what cannot work.
pub(crate) fn build(settings: Settings) -> Result<Config> {
    if settings.consensus.map(Consensus::from) == Some(Consensus::Zab) {
        check_zab(&settings)?;
    }
    let name = settings.name.unwrap_or_else(|| "default".to_owned());
    let default = Config::single(&name);
    let listen_peer = settings.listen_peer.unwrap_or(default.listen_peer);
    let alone = || vec![InitialMember { name: name.clone(), peer: listen_peer.to_string() }];
    let (heartbeat, election, election_max) = match settings.profile {
        Some(Profile::Etcd) | None => {
            (default.heartbeat, default.election_timeout, default.election_timeout_max)
        }
        Some(Profile::LanFast) => {
            let ms = Duration::from_millis;
            (ms(50), ms(150), Some(ms(300)))
        }
    };
    // A shortest timeout of one's own brings its own longest one with it.
    let max_below = if settings.election_timeout.is_some() { None } else { election_max };
    if settings.backup_dir.is_none()
        && (settings.backup_interval.is_some() || settings.backup_keep.is_some())
    {
        let text = "--backup-interval and --backup-keep need --backup-dir, where backups go";
        return Err(Failure::usage(text));
    }
    let listed = settings.initial_cluster.is_some();
    let mut config = Config {
        data_dir: settings.data_dir,
        listen_client: settings.listen_client.unwrap_or(default.listen_client),
        advertise_client: settings.advertise_client,
        listen_peer,
        initial_cluster: settings.initial_cluster.unwrap_or_else(alone),
        join: settings.initial_cluster_state == Some(ClusterState::Existing),
        expects_peers: default.expects_peers,
        consensus: settings.consensus.map_or(default.consensus, Into::into),
        cluster_token: settings.cluster_token.unwrap_or(default.cluster_token),
        heartbeat: settings.heartbeat_interval.unwrap_or(heartbeat),
        election_timeout: settings.election_timeout.unwrap_or(election),
        election_timeout_max: settings.election_timeout_max.or(max_below),
        pre_vote: settings.pre_vote.unwrap_or(default.pre_vote),
        check_quorum: settings.check_quorum.unwrap_or(default.check_quorum),
        stickiness: settings.stickiness.unwrap_or(default.stickiness),
        reads: settings.reads.unwrap_or(default.reads),
        threads: settings.threads.unwrap_or(default.threads),
        max_request_bytes: settings.max_request_bytes.unwrap_or(default.max_request_bytes),
        max_txn_ops: settings.max_txn_ops.unwrap_or(default.max_txn_ops),
        watch_progress_interval: settings
            .watch_progress_interval
            .unwrap_or(default.watch_progress_interval),
        cache_bytes: settings.cache_bytes.unwrap_or(default.cache_bytes),
        log_keep_bytes: settings.log_keep.map_or(default.log_keep_bytes, |bytes| bytes as u64),
        backups: settings.backup_dir.map(|dir| BackupSchedule {
            dir,
            interval: settings.backup_interval.unwrap_or(BACKUP_INTERVAL),
            keep: settings.backup_keep.unwrap_or(BACKUP_KEEP),
        }),
        disk_reserved: settings.disk_reserved.unwrap_or(default.disk_reserved),
        rejoin: settings.rejoin.unwrap_or(default.rejoin),
        dismiss_doubt: settings.dismiss_doubt.unwrap_or(default.dismiss_doubt),
        name,
        ..default
    };
    settings.founding.fill(&mut config, listed)?;
    check(&config)?;
    if config.consensus == Consensus::Zab {
        // Whoever lost its disk has nobody to be in a group whose members do not change.
        config.rejoin = false;
    }
    Ok(config)
}

fn check(config: &Config) -> Result {
    let refuse = |text: String| Err(Failure::usage(text));
    let members = &config.initial_cluster;
    if !members.iter().any(|member| member.name == config.name) {
        let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
        return refuse(format!(
            "--name {} is not among --initial-cluster ({}); add it, or choose one of these",
            config.name,
            names.join(", ")
        ));
    }
    for (position, member) in members.iter().enumerate() {
        if members[..position].iter().any(|other| other.name == member.name) {
            return refuse(format!("--initial-cluster has the name {} twice", member.name));
        }
        if members[..position].iter().any(|other| other.peer == member.peer) {
            return refuse(format!("--initial-cluster has the address {} twice", member.peer));
        }
    }
    if config.join && members.len() == 1 {
        let text = "to join a cluster that exists, --initial-cluster must name this member and \
                    those to ask, as `conclave member add` prints it";
        return refuse(text.to_owned());
    }
    if members.len() > 1 && config.data_dir.is_none() {
        let text = "a cluster of several members needs --data-dir: a member that forgets what it \
                    has voted for is a danger to the others";
        return refuse(text.to_owned());
    }
    if config.heartbeat.is_zero() {
        return refuse("--heartbeat-interval must be longer than nothing".to_owned());
    }
    if config.election_timeout <= config.heartbeat {
        return refuse(format!(
            "--election-timeout ({} ms) must be longer than --heartbeat-interval ({} ms); ten \
             times is usual",
            config.election_timeout.as_millis(),
            config.heartbeat.as_millis()
        ));
    }
    if config.election_timeout_max.is_some_and(|max| max < config.election_timeout) {
        return refuse("--election-timeout-max must not be below --election-timeout".to_owned());
    }
    if let Some(backups) = &config.backups
        && (backups.interval < Duration::from_secs(1) || backups.keep == 0)
    {
        let text = "--backup-interval must be at least 1s and --backup-keep at least 1";
        return refuse(text.to_owned());
    }
    if config.max_txn_ops == 0 || config.max_request_bytes == 0 {
        return refuse("--max-txn-ops and --max-request-bytes must be at least 1".to_owned());
    }
    Ok(())
}

/// What a group that runs Zab cannot be told to do: its members never change, and it has none of
/// what Raft can leave out.
fn check_zab(settings: &Settings) -> Result {
    let parts = [settings.pre_vote, settings.check_quorum, settings.stickiness];
    let text = if settings.founding.bootstrap_expect.is_some_and(|servers| servers > 1) {
        "--consensus zab needs --initial-cluster with all members in the place of \
         --bootstrap-expect: they never change"
    } else if settings.initial_cluster_state == Some(ClusterState::Existing) {
        "--consensus zab: the members never change, so none can join. Found a group with all of \
         them in --initial-cluster, or run Raft"
    } else if settings.rejoin == Some(true) {
        "--consensus zab: the members never change, so none comes back as a new one. Leave \
         --rejoin out, or run Raft"
    } else if settings.founding.dead_server_after.is_some() {
        "--consensus zab: the members never change, so none is removed for being gone. Leave \
         --dead-server-after out, or run Raft"
    } else if settings.reads.is_some_and(|reads| reads != Reads::Quorum) {
        "--consensus zab confirms every linearizable read by a quorum. Leave --reads out, or run \
         Raft"
    } else if parts.iter().any(Option::is_some) {
        "--pre-vote, --check-quorum and --stickiness are parts of Raft. Leave them out, or run Raft"
    } else {
        return Ok(());
    };
    Err(Failure::usage(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn member(name: &str, peer: &str) -> InitialMember {
        InitialMember { name: name.into(), peer: peer.into() }
    }

    fn refusal(settings: Settings) -> String {
        build(settings).unwrap_err().text().to_owned()
    }

    #[test]
    fn without_settings_it_is_one_member_on_loopback() {
        let config = build(Settings::default()).unwrap();
        assert_eq!(config.listen_client, SocketAddr::from(([127, 0, 0, 1], 2379)));
        assert_eq!(config.initial_cluster, [member("default", "127.0.0.1:2380")]);
        assert_eq!(config.heartbeat, Duration::from_millis(100));
    }

    #[test]
    fn a_single_timer_counts_before_the_profile() {
        let ms = Duration::from_millis;
        let profile = Some(Profile::LanFast);
        let fast = build(Settings { profile, ..Settings::default() }).unwrap();
        let timers = (fast.heartbeat, fast.election_timeout, fast.election_timeout_max);
        assert_eq!(timers, (ms(50), ms(150), Some(ms(300))));
        let election_timeout = Some(ms(500));
        let mixed = build(Settings { profile, election_timeout, ..Settings::default() }).unwrap();
        let timers = (mixed.heartbeat, mixed.election_timeout, mixed.election_timeout_max);
        assert_eq!(timers, (ms(50), ms(500), None));
    }

    #[test]
    fn a_member_must_be_in_its_cluster_once() {
        let initial_cluster = Some(vec![member("a", "h:1"), member("b", "h:2")]);
        let settings = Settings { initial_cluster, ..Settings::default() };
        assert!(refusal(settings).contains("--name default is not among --initial-cluster (a, b)"));
        let initial_cluster = Some(vec![member("a", "h:1"), member("a", "h:2")]);
        let settings = Settings { name: Some("a".into()), initial_cluster, ..Settings::default() };
        assert!(refusal(settings).contains("the name a twice"));
        let initial_cluster = Some(vec![member("a", "h:1"), member("b", "h:1")]);
        let settings = Settings { name: Some("a".into()), initial_cluster, ..Settings::default() };
        assert!(refusal(settings).contains("the address h:1 twice"));
    }

    #[test]
    fn several_members_need_a_directory() {
        let initial_cluster = Some(vec![member("a", "h:1"), member("b", "h:2")]);
        let mut settings =
            Settings { name: Some("a".into()), initial_cluster, ..Settings::default() };
        assert!(refusal(settings.clone()).contains("needs --data-dir"));
        settings.data_dir = Some("d".into());
        assert_eq!(build(settings).unwrap().initial_cluster.len(), 2);
    }

    #[test]
    fn timers_that_cannot_elect_are_refused() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let election_timeout = ms(100);
        let settings = Settings { election_timeout, ..Settings::default() };
        assert!(refusal(settings).contains("must be longer than --heartbeat-interval (100 ms)"));
        let settings = Settings { heartbeat_interval: ms(0), ..Settings::default() };
        assert!(refusal(settings).contains("longer than nothing"));
        let settings = Settings { election_timeout_max: ms(900), ..Settings::default() };
        assert!(refusal(settings).contains("must not be below"));
    }

    #[test]
    fn what_zab_has_not_is_refused_and_not_ignored() {
        let zab = Settings {
            consensus: Some(super::super::settings::Consensus::Zab),
            ..Settings::default()
        };
        let config = build(zab.clone()).unwrap();
        assert!(config.consensus == Consensus::Zab && !config.rejoin);
        let lease = Some(Reads::Lease { drift_per_mille: 10 });
        let mut expecting = zab.clone();
        expecting.founding.bootstrap_expect = Some(3);
        expecting.data_dir = Some("d".into());
        expecting.gossip.join = vec!["h:7946".into()];
        let joining =
            Settings { initial_cluster_state: Some(ClusterState::Existing), ..zab.clone() };
        let mut removing = zab.clone();
        removing.founding.dead_server_after = Some(Duration::from_secs(60));
        for (settings, words) in [
            (removing, "Leave --dead-server-after out"),
            (expecting, "in the place of --bootstrap-expect"),
            (joining, "none can join"),
            (Settings { rejoin: Some(true), ..zab.clone() }, "Leave --rejoin out"),
            (Settings { reads: lease, ..zab.clone() }, "Leave --reads out"),
            (Settings { pre_vote: Some(true), ..zab.clone() }, "are parts of Raft"),
            (Settings { check_quorum: Some(false), ..zab.clone() }, "are parts of Raft"),
            (Settings { stickiness: Some(false), ..zab }, "are parts of Raft"),
        ] {
            let text = refusal(settings);
            assert!(text.contains(words), "{text}");
        }
    }
}
