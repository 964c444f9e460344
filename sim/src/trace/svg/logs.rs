//! The logs as rows of boxes: an entry's index and term, full when it is committed.
//!
//! All rows show the same indexes, one below the other. A run of indexes that hold nothing but
//! introductions of members, in all logs, is one narrow box.

use super::paper::{Anchor, Paper, Pen, Style, letters, width};
use super::{MARGIN, palette};
use crate::trace::line::What;
use crate::trace::record::{Boxed, Record};

const WIDE: f64 = 62.0;
const TALL: f64 = 32.0;
/// The most columns of a row.
const MOST: usize = 14;

/// A row: whose, what, and how far it is committed.
type Row<'a> = (&'a String, &'a [Boxed], u64);
/// The indexes of a column, from and through; more than one for introductions.
type Column = (u64, u64);

/// The logs with which the nodes began; gives where they end.
pub(super) fn opening(paper: &mut Paper, record: &Record, top: f64) -> f64 {
    let rows: Vec<_> = record.nodes.iter().map(|node| (&node.name, &node.opening[..], 0)).collect();
    draw(paper, "The logs at the beginning", &rows, 1, top)
}

/// The logs in the end, from a little before what was committed when the picture began; gives
/// where they end.
pub(super) fn ending(paper: &mut Paper, record: &Record, from: u64, top: f64) -> f64 {
    let rows: Vec<_> =
        record.nodes.iter().map(|node| (&node.name, &node.log[..], node.commit)).collect();
    let before = record.lines.iter().filter(|line| line.time_ns < from);
    let known = before.filter_map(|line| match line.what {
        What::Committed { through, .. } => Some(through),
        _ => None,
    });
    let first = known.max().unwrap_or(1).max(1);
    draw(paper, "The logs in the end", &rows, first, top)
}

fn draw(paper: &mut Paper, title: &str, rows: &[Row<'_>], first: u64, top: f64) -> f64 {
    let style = Style { size: 14.0, bold: true, ..Style::default() };
    paper.text(MARGIN, top + 16.0, title, &style);
    let columns = columns(rows, first);
    if columns.is_empty() {
        let style = Style { fill: palette::SOFT, ..Style::default() };
        paper.text(MARGIN, top + 38.0, "All are empty.", &style);
        return top + 46.0;
    }
    let mut y = top + 28.0;
    for (name, log, commit) in rows {
        paper.begin("log");
        let style = Style { size: 13.0, bold: true, anchor: Anchor::End, ..Style::default() };
        paper.text(MARGIN + 34.0, y + TALL / 2.0 + 4.5, name, &style);
        if log.is_empty() {
            let style = Style { fill: palette::FAINT, ..Style::default() };
            paper.text(MARGIN + 56.0, y + TALL / 2.0 + 4.5, "empty", &style);
        }
        if columns[0].0 > 1 && !log.is_empty() {
            let style = Style { size: 14.0, fill: palette::FAINT, ..Style::default() };
            paper.text(MARGIN + 40.0, y + TALL / 2.0 + 4.0, "…", &style);
        }
        for (number, column) in columns.iter().enumerate() {
            let x = MARGIN + 56.0 + number as f64 * (WIDE + 5.0);
            let mut within = log.iter().filter(|held| (column.0..=column.1).contains(&held.index));
            if let Some(last) = within.next_back() {
                entry(paper, *column, last, last.index <= *commit, (x, y));
            }
        }
        paper.end();
        y += TALL + 6.0;
    }
    y
}

/// The columns from an index on, at most so many, the last ones.
fn columns(rows: &[Row<'_>], first: u64) -> Vec<Column> {
    let mut columns: Vec<(Column, bool)> = Vec::new();
    let end = rows.iter().filter_map(|(_, log, _)| log.last()).map(|last| last.index).max();
    for index in first..=end.unwrap_or(0) {
        let at = |log: &&[Boxed]| log.iter().find(|held| held.index == index).cloned();
        let dull = rows.iter().filter_map(|(_, log, _)| at(log)).all(|held| held.introduction);
        match columns.last_mut() {
            Some(((_, through), true)) if dull => *through = index,
            _ => columns.push(((index, index), dull)),
        }
    }
    let surplus = columns.len().saturating_sub(MOST);
    columns.drain(surplus..).map(|(column, _)| column).collect()
}

/// A box: one entry, or a run of introductions of which `last` is the last.
fn entry(paper: &mut Paper, column: Column, last: &Boxed, committed: bool, at: (f64, f64)) {
    let (x, y) = at;
    let (full, rim) = palette::term(last.term);
    let dash = if committed { "" } else { "4 3" };
    let fill = if committed { full } else { palette::PAPER };
    paper.rect([x, y, WIDE, TALL, 4.0], fill, Some(Pen { stroke: rim, width: 1.5, dash }));
    let middle = x + WIDE / 2.0;
    let run = column.0 < last.index;
    let (text, command) = if run {
        (format!("{}–{}", column.0, last.index), "introductions")
    } else {
        (format!("{}:{}", last.index, last.term), &last.command[..])
    };
    let anchor = Anchor::Middle;
    let line = if command.is_empty() { y + TALL / 2.0 + 4.5 } else { y + 14.0 };
    paper.text(middle, line, &text, &Style { size: 12.5, bold: !run, anchor, ..Style::default() });
    let mut size = 9.5;
    while width(command, size) > WIDE - 4.0 && size > 6.5 {
        size -= 0.5;
    }
    let command = super::lanes::shortened(command, letters(WIDE, size));
    let style = Style { size, fill: palette::SOFT, anchor, ..Style::default() };
    paper.text(middle, y + 26.0, &command, &style);
}
