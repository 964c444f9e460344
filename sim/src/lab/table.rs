//! Tables for the terminal: aligned columns, nothing else.

use std::fmt;

/// A table with a heading; the first column is set to the left, the others to the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&word| word.to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                line += if column > 0 { "  " } else { "" };
                line += &if column == 0 { format!("{cell}{gap}") } else { format!("{gap}{cell}") };
            }
            writeln!(f, "{}", line.trim_end())?;
            if number == 0 {
                let rule: usize = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
                writeln!(f, "{}", "─".repeat(rule))?;
            }
        }
        Ok(())
    }
}

/// A number of milliseconds, whole from 100 on; `–` for none.
pub(crate) fn millis(value: Option<f64>) -> String {
    match value {
        Some(value) if value < 99.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
        None => "–".to_owned(),
    }
}

/// How far `ours` is from `theirs`, in percent of theirs.
pub(super) fn difference(ours: Option<f64>, theirs: Option<f64>) -> String {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => format!("{:+.0} %", (ours / theirs - 1.0) * 100.0),
        (Some(_) | None, _) => "–".to_owned(),
    }
}
