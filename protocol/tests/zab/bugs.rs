//! What `ZooKeeper` once got wrong, each as a test of its own.

use crate::scenes;

macro_rules! scenes {
    ($($claim:ident => $scene:ident;)+) => {$(
        #[test]
        fn $claim() {
            scenes::$scene();
        }
    )+};
}

scenes! {
    spec_1_what_is_proposed_during_synchronisation_counts_when_it_was_sent => spec_1;
    spec_3_a_late_comer_is_told_what_is_committed => spec_3;
    zk_1653_entries_of_a_later_epoch_than_the_own_are_no_reason_not_to_start => zk_1653;
    zk_2845_a_node_votes_with_what_it_has_logged => zk_2845;
    zk_3023_a_crash_at_any_step_of_synchronisation_loses_nothing => zk_3023;
    zk_3104_what_is_proposed_during_a_snapshot_is_not_missed => zk_3104;
    zk_3642_a_snapshot_whose_leader_dies_leaves_nothing_half_done => zk_3642;
    zk_3911_what_is_acknowledged_in_synchronisation_is_durable => zk_3911;
    zk_3911_of_five_what_a_minority_was_sent_is_not_committed => zk_3911_of_five;
    zk_4394_a_commit_before_serving_is_remembered => zk_4394;
    zk_4643_the_epoch_is_never_durable_before_the_history => zk_4643;
    zk_4646_the_acknowledgement_waits_for_the_sync => zk_4646;
    zk_4685_the_first_acknowledgement_is_that_of_the_history => zk_4685;
    zk_4712_nothing_is_under_way_to_the_disk_when_a_node_votes => zk_4712;
    zk_4925_who_was_brought_up_to_date_has_no_hole_to_pass_on => zk_4925;
    zk_5094_a_cut_whose_leader_dies_leaves_no_gap => zk_5094;
}

#[test]
fn every_scene_is_told_by_a_test_of_its_own() {
    let told = include_str!("bugs.rs");
    for (name, _) in scenes::ALL {
        let claim = format!("{}_", name.to_lowercase().replace(['-', ' '], "_"));
        assert!(told.contains(&claim), "{name}");
    }
}
