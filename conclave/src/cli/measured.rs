//! One measurement: its repetitions, and what is asked of it.

use serde_json::{Value, json};

use super::table::table;

/// What is asked of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) enum Target {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

/// A measurement.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Row {
    name: String,
    unit: &'static str,
    /// Ascending; at least one.
    values: Vec<f64>,
    target: Option<Target>,
}

impl Row {
    pub(in crate::cli) fn new(
        name: impl Into<String>,
        unit: &'static str,
        mut values: Vec<f64>,
    ) -> Self {
        assert!(!values.is_empty(), "a measurement was made");
        values.sort_by(f64::total_cmp);
        Self { name: name.into(), unit, values, target: None }
    }

    /// The same, with what is asked of it.
    pub(in crate::cli) fn against(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn median(&self) -> f64 {
        let middle = self.values.len() / 2;
        if self.values.len() % 2 == 1 {
            self.values[middle]
        } else {
            f64::midpoint(self.values[middle - 1], self.values[middle])
        }
    }

    fn spread(&self) -> (f64, f64) {
        (self.values[0], self.values[self.values.len() - 1])
    }

    fn holds(&self) -> Option<bool> {
        Some(match self.target? {
            Target::AtLeast(least) => self.median() >= least,
            Target::AtMost(most) => self.median() <= most,
        })
    }

    fn cells(&self) -> Vec<String> {
        let (least, most) = self.spread();
        let asked = match self.target {
            Some(Target::AtLeast(least)) => format!("≥ {}", number(least)),
            Some(Target::AtMost(most)) => format!("≤ {}", number(most)),
            None => String::new(),
        };
        let verdict = match self.holds() {
            Some(true) => "ok",
            Some(false) => "short",
            None => "",
        };
        vec![
            self.name.clone(),
            number(self.median()),
            format!("{}–{}", number(least), number(most)),
            self.unit.to_owned(),
            asked,
            verdict.to_owned(),
        ]
    }

    pub(in crate::cli) fn document(&self) -> Value {
        let (least, most) = match self.target {
            Some(Target::AtLeast(least)) => (Some(least), None),
            Some(Target::AtMost(most)) => (None, Some(most)),
            None => (None, None),
        };
        json!({
            "name": self.name,
            "unit": self.unit,
            "median": self.median(),
            "values": self.values,
            "at_least": least,
            "at_most": most,
            "ok": self.holds(),
        })
    }
}

/// All rows for people.
pub(in crate::cli) fn show(rows: &[Row]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    table(&["MEASURED", "MEDIAN", "SPREAD", "UNIT", "ASKED", "VERDICT"], &cells)
}

/// Three digits, or all that stand before the point.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        0.0..0.1 => format!("{value:.4}"),
        0.1..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_held_against_what_is_asked() {
        let row = Row::new("x", "s", vec![3.0, 1.0, 2.0]);
        assert_eq!((row.median(), row.spread(), row.holds()), (2.0, (1.0, 3.0), None));
        assert_eq!(row.clone().against(Target::AtMost(2.0)).holds(), Some(true));
        assert_eq!(row.clone().against(Target::AtLeast(2.1)).holds(), Some(false));
        assert_eq!(Row::new("x", "s", vec![1.0, 2.0]).median(), 1.5);
    }

    #[test]
    fn a_table_says_what_is_short() {
        let rows = [
            Row::new("fast", "h", vec![12.0]).against(Target::AtLeast(10.0)),
            Row::new("slow", "h", vec![0.05]).against(Target::AtLeast(60.0)),
            Row::new("large", "MB", vec![345.6]),
        ];
        let text = show(&rows);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["fast", "12.0", "12.0–12.0", "h", "≥", "10.0", "ok"]);
        assert_eq!(lines[2], ["slow", "0.0500", "0.0500–0.0500", "h", "≥", "60.0", "short"]);
        assert_eq!(lines[3], ["large", "346", "346–346", "MB"]);
    }
}
