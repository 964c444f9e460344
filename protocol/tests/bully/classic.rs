//! The textbook's algorithm: its counts, and where it breaks.

use protocol::bully::{Config, Input, Loss, Mode, Output, Ranking, Standing};

use crate::stage::{MS, Stage, config, shown};

fn classic(count: u64) -> Stage {
    let mut stage = Stage::new((1..=count).map(|id| config(id, Mode::Classic)).collect());
    stage.meet();
    stage.run(500 * MS);
    assert_eq!(stage.leaders(), [count]);
    stage.sent.clear();
    stage
}

/// The highest of so many dies, and these notice it at once.
fn detected_by(count: u64, detectors: impl Iterator<Item = u64>) -> Stage {
    let mut stage = classic(count);
    stage.crash(count);
    let shown = shown(&config(count, Mode::Classic));
    for id in detectors {
        stage.handle(id, Input::Saw { shown: shown.clone(), standing: Standing::Suspect });
    }
    stage.run(500 * MS);
    assert_eq!(stage.leaders(), [count - 1]);
    stage
}

#[test]
fn the_lowest_detector_costs_n_squared_less_n_less_one() {
    for n in 3..=9 {
        let stage = detected_by(n, 1..=1);
        assert_eq!(stage.total(), n * n - n - 1, "{:?}", stage.sent);
        assert_eq!(stage.sent["Election"], n * (n - 1) / 2);
        assert_eq!(stage.sent.get("Alive").copied().unwrap_or(0), (n - 1) * (n - 2) / 2);
        assert_eq!(stage.sent["Victory"], n - 2);
    }
}

#[test]
fn all_detecting_at_once_cost_no_more() {
    for n in 3..=9 {
        assert_eq!(detected_by(n, 1..=n - 1).total(), n * n - n - 1);
    }
}

#[test]
fn the_second_highest_detector_costs_one_question_and_its_victory() {
    for n in 3..=9 {
        let stage = detected_by(n, n - 1..=n - 1);
        assert_eq!(stage.total(), 1 + (n - 2), "{:?}", stage.sent);
    }
}

#[test]
fn whoever_comes_back_bullies_the_one_that_leads() {
    let mut stage = detected_by(5, 1..=1);
    stage.actor(4).told.clear();
    stage.restart(5);
    stage.meet();
    stage.run(500 * MS);
    assert_eq!(stage.leaders(), [5]);
    assert_eq!(stage.losses(4), [Loss::Superseded]);
}

#[test]
fn a_partition_has_a_leader_on_each_side() {
    let mut stage = classic(4);
    stage.isolate(&[1, 2]);
    for id in [1, 2] {
        for other in [3, 4] {
            let shown = shown(&config(other, Mode::Classic));
            stage.handle(id, Input::Saw { shown, standing: Standing::Failed });
        }
    }
    stage.run(500 * MS);
    assert_eq!(stage.leaders(), [2, 4], "two lead, which is why there is another mode");
}

#[test]
fn a_way_that_is_cut_in_one_direction_makes_two_leaders_as_well() {
    let mut stage = classic(3);
    stage
        .cut
        .extend([(3, 1), (3, 2)].map(|(from, to)| (protocol::NodeId(from), protocol::NodeId(to))));
    let shown = shown(&config(3, Mode::Classic));
    stage.handle(2, Input::Saw { shown, standing: Standing::Suspect });
    stage.run(70 * MS);
    assert!(stage.actor(2).leads && stage.actor(3).leads);
}

#[test]
fn a_better_one_that_answered_and_died_is_not_waited_for_for_ever() {
    let mut stage = classic(3);
    stage.crash(3);
    let suspect = shown(&config(3, Mode::Classic));
    stage.handle(1, Input::Saw { shown: suspect, standing: Standing::Suspect });
    stage.deliver();
    // 2 has said that it is alive, and dies before its victory.
    stage.crash(2);
    stage.run(1_000 * MS);
    assert_eq!(stage.leaders(), [1]);
}

#[test]
fn ranks_go_by_priority_where_that_is_asked_for() {
    let ranked = |id, priority| Config { priority, ..config(id, Mode::Classic) };
    let mut stage = Stage::new(vec![ranked(1, 9), ranked(2, 1), ranked(3, 9)]);
    stage.meet();
    stage.run(500 * MS);
    assert_eq!(stage.leaders(), [3]);
    let by_id = |id, priority| Config { ranking: Ranking::Id, ..ranked(id, priority) };
    let mut stage = Stage::new(vec![by_id(1, 9), by_id(2, 1)]);
    stage.meet();
    stage.run(500 * MS);
    assert_eq!(stage.leaders(), [2]);
}

#[test]
fn nothing_is_written_and_no_lease_is_promised() {
    let mut stage = classic(3);
    for id in stage.ids() {
        for output in &stage.actor(id).told {
            assert!(!matches!(output, Output::Persist { .. } | Output::Elected(Some(_))));
        }
    }
}
