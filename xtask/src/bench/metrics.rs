//! `GET /metrics`: what members count of themselves, under names that both systems have.

use std::error::Error;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::health;

/// A member that is busy may take a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// The text of a member's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn of(member: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let mut text = Vec::new();
        let asked = health::ask(member, "/metrics", PATIENCE);
        asked
            .and_then(|mut answer| answer.read_to_end(&mut text))
            .map_err(|error| format!("the metrics of {member}: {error}"))?;
        Ok(Self(String::from_utf8_lossy(&text).into_owned()))
    }

    /// The sum of all lines of this name, whatever their labels; none where there is none.
    pub(crate) fn sum(&self, name: &str) -> Option<f64> {
        let values = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            // The encoder of one system adds the ending that the other's names lack.
            let rest = rest.strip_prefix("_total").unwrap_or(rest);
            let value = match rest.strip_prefix('{') {
                Some(labelled) => labelled.rsplit_once('}')?.1,
                None => rest,
            };
            value.strip_prefix(' ')?.trim().parse::<f64>().ok()
        });
        values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_name_are_added_and_others_are_not() {
        let text = "# HELP a b\na 1\nab 5\na{To=\"x y\"} 2\na_total 4e1\nb_total{To=\"z\"} 7\n";
        let metrics = Metrics(text.to_owned());
        assert_eq!(metrics.sum("a"), Some(43.0));
        assert_eq!(metrics.sum("b"), Some(7.0));
        assert_eq!(metrics.sum("c"), None);
    }
}
