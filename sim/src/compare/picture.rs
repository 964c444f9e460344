//! One picture for each question.

use super::comparison::Comparison;
use super::contender::Contender;
use super::flaps;
use super::scenario::Scenario;
use super::settings::HOLD;
use super::trial::Stretch;
use crate::lab::theory::LATENCIES;
use crate::plot::strip::{Part, Row, Strips};
use crate::plot::{Axis, Plot, Scale, Series};

/// The pictures' names, as files are named after them.
pub const NAMES: [&str; 5] = ["messages", "time", "flaps", "votes", "partitions"];

fn axis(label: &str, from: f64, to: f64, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), from, to, scale }
}

fn ends(nodes: &[usize]) -> (f64, f64) {
    let least = nodes.iter().min().copied().unwrap_or(3);
    let most = nodes.iter().max().copied().unwrap_or(9);
    (least as f64, (most.max(least + 1)) as f64)
}

impl Comparison {
    /// All pictures, in the order of [`NAMES`].
    #[must_use]
    pub fn pictures(&self) -> [String; 5] {
        [
            self.messages_picture(),
            self.time_picture(),
            self.flaps_picture(),
            self.votes_picture(),
            self.partitions_picture(),
        ]
    }

    fn messages_picture(&self) -> String {
        let series = Contender::FIVE.map(|contender| {
            let tallies = self.nodes.iter();
            let tallies = tallies.filter_map(|&n| self.tally(contender, n, Scenario::LeaderCrash));
            let line = tallies.map(|tally| (tally.nodes as f64, tally.messages.mean)).collect();
            let predicted = |n: f64| match contender {
                Contender::Raft => Some(3.0 * n - 4.0),
                Contender::PreVote => Some(5.0 * n - 7.0),
                Contender::Classic => Some(n * n - n - 1.0),
                Contender::Zab | Contender::Safe | Contender::Eager | Contender::Damped => None,
            };
            let each = self.nodes.iter().map(|&n| n as f64);
            let rings = each.filter_map(|n| Some((n, predicted(n)?))).collect();
            Series { name: contender.name().to_owned(), line, rings }
        });
        let all = series.iter().flat_map(|it| it.line.iter().chain(&it.rings));
        let most = all.map(|point| point.1).fold(10.0, f64::max);
        let (from, to) = ends(&self.nodes);
        Plot {
            title: "Messages from the leader's crash until the next is known".to_owned(),
            subtitle: "mean of all seeds; heartbeats, gossip and recovery left out".to_owned(),
            x: axis("nodes, the dead one among them", from, to, Scale::Linear),
            y: axis("messages", 2.0, most * 1.2, Scale::Logarithmic),
            series: series.into(),
            rings: "predicted; classic: most".to_owned(),
        }
        .to_svg()
    }

    fn time_picture(&self) -> String {
        let n = self.usual();
        let series = Contender::FIVE.map(|contender| {
            let tally = self.tally(contender, n, Scenario::LeaderCrash);
            let line = tally.map(|tally| tally.served.clone()).unwrap_or_default();
            Series { name: contender.name().to_owned(), line, rings: Vec::new() }
        });
        let all = series.iter().flat_map(|it| &it.line);
        let most = all.map(|point| point.0).fold(100.0, f64::max);
        let settings = &self.settings;
        let [least, longest] = settings.silence_ms;
        let middle = settings.zab_silence_and_lease_ms;
        Plot {
            title: format!("From the leader's crash until the next is able to act, {n} nodes"),
            subtitle: format!(
                "silence borne: Raft and gossip {least:.0} to {longest:.0} ms, Zab and leases \
                 {middle:.0} ms"
            ),
            x: axis("milliseconds", 0.0, (most / 50.0).ceil() * 50.0, Scale::Linear),
            y: axis("trials, in percent", 0.0, 100.0, Scale::Linear),
            series: series.into(),
            rings: String::new(),
        }
        .to_svg()
    }

    fn flaps_picture(&self) -> String {
        let series = Contender::ALL.map(|contender| {
            let own: Vec<_> =
                self.flaps.iter().filter(|flap| flap.contender == contender).collect();
            let line = own.iter().map(|it| (it.period_s, it.changes as f64)).collect();
            let bullies = matches!(contender, Contender::Classic | Contender::Eager);
            let rings = own.iter().filter(|_| bullies).map(|it| (it.period_s, it.predicted as f64));
            Series { name: contender.name().to_owned(), line, rings: rings.collect() }
        });
        let minutes = flaps::LENGTH.as_secs() / 60;
        Plot {
            title: "Changes of leaders when the best node comes and goes".to_owned(),
            subtitle: format!(
                "{} nodes, {minutes} minutes; lines at 1 lie upon one another: Raft, Zab, safe",
                flaps::NODES
            ),
            x: axis("period, in seconds", 10.0, 300.0, Scale::Logarithmic),
            y: axis("changes", 0.8, 200.0, Scale::Logarithmic),
            series: series.into(),
            rings: "predicted: 2 a period".to_owned(),
        }
        .to_svg()
    }

    fn votes_picture(&self) -> String {
        let mut series: Vec<Series> = LATENCIES
            .into_iter()
            .rev()
            .map(|latency| {
                // One server is down.
                let own = self.votes.iter().filter(|point| {
                    point.latency_per_mille == latency && point.up + 1 == point.servers
                });
                let of = |share: f64, n: usize| (n as f64, share * 100.0);
                let line = own.clone().map(|it| of(it.split, it.servers)).collect();
                let rings = own.map(|it| of(it.predicted_split, it.servers)).collect();
                let name = format!("Raft, l = {}", f64::from(latency) / 1e3);
                Series { name, line, rings }
            })
            .collect();
        let zab = self.nodes.iter().filter_map(|&n| {
            let tally = self.tally(Contender::Zab, n, Scenario::LeaderCrash)?;
            Some((n as f64, tally.again * 100.0))
        });
        series.push(Series { name: "Zab".to_owned(), line: zab.collect(), rings: Vec::new() });
        Plot {
            title: "Split votes: even numbers of servers split more".to_owned(),
            subtitle: "one server is down; l is the latency in widths of the timeouts' range"
                .to_owned(),
            x: axis("servers", 3.0, 9.0, Scale::Linear),
            y: axis("elections with a split vote, in percent", 0.0, 60.0, Scale::Linear),
            series,
            rings: "predicted".to_owned(),
        }
        .to_svg()
    }

    fn partitions_picture(&self) -> String {
        let n = self.usual();
        let mut rows = Vec::new();
        let halves = (self.nodes.contains(&4) && n % 2 == 1).then_some((Scenario::Split, 4));
        let all = Scenario::PARTITIONS.map(|scenario| (scenario, n));
        for (scenario, nodes) in all.into_iter().chain(halves) {
            for (number, contender) in Contender::FIVE.into_iter().enumerate() {
                let Some(tally) = self.tally(contender, nodes, scenario) else { continue };
                let group = match number {
                    0 if nodes == n => scenario.name().to_owned(),
                    0 => format!("{}, {nodes} nodes", scenario.name()),
                    _ => String::new(),
                };
                let parts = tally.strip.iter().map(part).collect();
                rows.push(Row { group, name: contender.name().to_owned(), parts });
            }
        }
        let hold = HOLD.as_secs_f64() * 1e3;
        Strips {
            title: format!("Who is able to act while the network is broken, {n} nodes"),
            subtitle: "one seed; the fault lasts from 0 to 2,000 ms".to_owned(),
            x: axis("milliseconds from the fault on", 0.0, hold * 2.0, Scale::Linear),
            mark: (hold, "healed".to_owned()),
            legend: LEGEND.map(|(colour, words)| (colour, words.to_owned())).into(),
            rows,
        }
        .to_svg()
    }
}

const LEGEND: [(&str, &str); 4] = [
    ("#009e73", "one acts"),
    ("#d55e00", "two or more act"),
    ("#e6b84c", "somebody takes itself for the leader and cannot act"),
    ("#c9c9c4", "nobody leads"),
];

fn part(stretch: &Stretch) -> Part {
    let kind = match (stretch.acting, stretch.leaders) {
        (2.., _) => 1,
        (1, _) => 0,
        (0, 1..) => 2,
        (0, 0) => 3,
    };
    Part { from: stretch.from_ms, colour: LEGEND[kind].0 }
}
