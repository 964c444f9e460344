//! The comparison as tables: one for each question.

use std::fmt;

use super::comparison::Comparison;
use super::contender::Contender;
use super::flaps;
use super::scenario::Scenario;
use super::tally::{Course, Spread, Tally};
use crate::lab::table::{Table, millis};
use crate::lab::theory::LATENCIES;

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.usual();
        let Comparison { seeds, .. } = self;
        writeln!(
            f,
            "Three ways to a leader: {seeds} seeds an election, ms unless said otherwise\n"
        )?;
        self.messages(f, Scenario::LeaderCrash)?;
        self.messages(f, Scenario::ColdStart)?;
        self.kinds(f, n)?;
        self.times(f, n)?;
        self.costs(f, n)?;
        for nodes in if self.nodes.contains(&4) && n != 4 { vec![n, 4] } else { vec![n] } {
            self.partitions(f, nodes)?;
        }
        self.flapping(f)?;
        self.split_votes(f)?;
        self.beside(f)
    }
}

fn spread(spread: Spread) -> String {
    let Spread { min, mean, max } = spread;
    if min == max { format!("{min}") } else { format!("{mean:.1} ({min}–{max})") }
}

impl Comparison {
    fn messages(&self, f: &mut fmt::Formatter<'_>, scenario: Scenario) -> fmt::Result {
        let what = scenario.name();
        writeln!(f, "Messages of an election by nodes, {what}: mean (least–most)")?;
        let heading: Vec<String> = self.nodes.iter().map(ToString::to_string).collect();
        let heading = std::iter::once("").chain(heading.iter().map(String::as_str));
        let mut table = Table::new(&heading.collect::<Vec<_>>());
        for contender in Contender::FIVE {
            let cells = self.nodes.iter().map(|&n| {
                let tally = self.tally(contender, n, scenario);
                tally.map_or_else(String::new, |tally| spread(tally.messages))
            });
            table.row(std::iter::once(contender.name().to_owned()).chain(cells));
        }
        writeln!(f, "{table}")
    }

    fn kinds(&self, f: &mut fmt::Formatter<'_>, n: usize) -> fmt::Result {
        writeln!(f, "Messages by kind, mean, {n} nodes, leader crashes")?;
        let mut table = Table::new(&["", "to elect", "to let the leader serve"]);
        let words = |kinds: &std::collections::BTreeMap<&'static str, f64>| {
            let each = kinds.iter().map(|(kind, mean)| format!("{kind} {mean:.1}"));
            let all: Vec<String> = each.collect();
            if all.is_empty() { "–".to_owned() } else { all.join(", ") }
        };
        for tally in self.each(n, Scenario::LeaderCrash) {
            let name = tally.contender.name().to_owned();
            table.row([name, words(&tally.kinds), words(&tally.recovery_kinds)]);
        }
        writeln!(f, "{table}")
    }

    fn each(&self, n: usize, scenario: Scenario) -> impl Iterator<Item = &Tally> {
        let of = move |contender| self.tally(contender, n, scenario);
        Contender::FIVE.into_iter().filter_map(of)
    }

    fn times(&self, f: &mut fmt::Formatter<'_>, n: usize) -> fmt::Result {
        for scenario in [Scenario::LeaderCrash, Scenario::ColdStart] {
            writeln!(f, "Time from the beginning, {n} nodes, {}", scenario.name())?;
            let mut table =
                Table::new(&["", "until", "p10", "p50", "p90", "p99", "most", "not at all"]);
            for tally in self.each(n, scenario) {
                let all =
                    [("noticed", tally.detect), ("elected", tally.decide), ("serves", tally.serve)];
                for (until, it) in all {
                    let times = [it.p10, it.p50, it.p90, it.p99, it.max].map(millis);
                    let first = until == "noticed";
                    let name = if first { tally.contender.name() } else { "" };
                    let front = [name.to_owned(), until.to_owned()];
                    table.row(front.into_iter().chain(times).chain([it.open.to_string()]));
                }
            }
            writeln!(f, "{table}")?;
        }
        Ok(())
    }

    fn costs(&self, f: &mut fmt::Formatter<'_>, n: usize) -> fmt::Result {
        writeln!(f, "What an election takes, {n} nodes, leader crashes; hops and writes in a row")?;
        let heading = [
            "",
            "durable",
            "hops to elect",
            "to serve",
            "writes in a row",
            "writes of all",
            "messages to serve",
            "again %",
            "misled %",
        ];
        let mut table = Table::new(&heading);
        for tally in self.each(n, Scenario::LeaderCrash) {
            table.row([
                tally.contender.name().to_owned(),
                tally.contender.state().to_owned(),
                spread(tally.hops_decide),
                spread(tally.hops_serve),
                spread(tally.chain_syncs),
                spread(tally.syncs),
                spread(tally.recovery),
                format!("{:.1}", tally.again * 100.0),
                format!("{:.1}", tally.misled * 100.0),
            ]);
        }
        writeln!(f, "{table}")
    }

    fn partitions(&self, f: &mut fmt::Formatter<'_>, n: usize) -> fmt::Result {
        writeln!(
            f,
            "Partitions, {n} nodes: 2 s of fault, then 2 s healed; leaders = most at once"
        )?;
        let heading = [
            "",
            "",
            "leaders",
            "acting",
            "nobody acts",
            "changes",
            "epochs",
            "healed: acting",
            "nobody acts",
            "changes",
            "epochs",
        ];
        let mut table = Table::new(&heading);
        for scenario in Scenario::PARTITIONS {
            for (number, tally) in self.each(n, scenario).enumerate() {
                let name = if number == 0 { scenario.name() } else { "" };
                let fault = &tally.fault;
                let front = [
                    name.to_owned(),
                    tally.contender.name().to_owned(),
                    fault.most_leaders.to_string(),
                ];
                let healed = tally.healed.as_ref().map(course).unwrap_or_default();
                table.row(front.into_iter().chain(course(fault)).chain(healed));
            }
        }
        writeln!(f, "{table}")
    }

    fn flapping(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = flaps::LENGTH.as_secs() / 60;
        let nodes = flaps::NODES;
        writeln!(
            f,
            "Changes of leaders in {minutes} min in which the best of {nodes} nodes is up"
        )?;
        writeln!(f, "and down by turns: measured / predicted, by period")?;
        let periods = flaps::PERIODS.map(|period| format!("{} s", period.as_secs()));
        let heading = std::iter::once("").chain(periods.iter().map(String::as_str));
        let mut table = Table::new(&heading.collect::<Vec<_>>());
        for contender in Contender::ALL {
            let own = self.flaps.iter().filter(|flap| flap.contender == contender);
            let bound = if contender == Contender::Damped { "≤ " } else { "" };
            let cells = own.map(|flap| format!("{} / {bound}{}", flap.changes, flap.predicted));
            table.row(std::iter::once(contender.name().to_owned()).chain(cells));
        }
        writeln!(f, "{table}")
    }

    fn split_votes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Split votes, odd and even: Raft without guards, measured / predicted %, by the"
        )?;
        writeln!(f, "latency in widths of the timeouts' range (thesis §9.3); Zab has none")?;
        let names = LATENCIES.map(|latency| format!("l = {}", f64::from(latency) / 1e3));
        let heading = std::iter::once("servers (up)").chain(names.iter().map(String::as_str));
        let mut table = Table::new(&heading.collect::<Vec<_>>());
        for points in self.votes.chunks(LATENCIES.len()) {
            let name = points.first().map(|point| format!("{} ({})", point.servers, point.up));
            let cells = points.iter().map(|point| {
                format!("{:.1} / {:.1}", point.split * 100.0, point.predicted_split * 100.0)
            });
            table.row(name.into_iter().chain(cells));
        }
        writeln!(f, "{table}")
    }

    fn beside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What books and papers say, and what was measured")?;
        let mut table =
            Table::new(&["", "nodes", "predicted", "measured", "off", "mean (least–most)"]);
        let mut last = "";
        for it in &self.figures {
            let name = if it.what == last { "" } else { it.what };
            last = it.what;
            let off = (it.measured / it.predicted - 1.0) * 100.0;
            // No sign without a difference.
            let off = if off.abs() < 0.05 { "0 %".to_owned() } else { format!("{off:+.1} %") };
            table.row([
                name.to_owned(),
                it.nodes.to_string(),
                format!("{:.1}", it.predicted),
                format!("{:.1}", it.measured),
                off,
                format!("{:.1} ({:.0}–{:.0})", it.mean, it.min, it.max),
            ]);
        }
        write!(f, "{table}")
    }
}

fn course(course: &Course) -> Vec<String> {
    let mean = |it: Spread| format!("{:.1}", it.mean);
    vec![
        course.most_acting.to_string(),
        millis(course.unavailable.p50),
        mean(course.changes),
        mean(course.burnt),
    ]
}
