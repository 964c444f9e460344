//! Columns for people.

/// Lays rows out under their headings, two spaces apart. The first column is set to the left, the
/// others to the right. Lines have no blanks at their end.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| width(heading)).collect();
    for row in rows {
        assert_eq!(row.len(), headings.len(), "each row has a cell for each heading");
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (at, (cell, widest)) in row.iter().zip(&widths).enumerate() {
            let fill = " ".repeat(widest - width(cell));
            line += &if at == 0 { format!("{cell}{fill}") } else { format!("  {fill}{cell}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_headings_also_with_wide_letters_of_utf8() {
        let rows = [["put:1", "1–2", "3"], ["x", "–", ""]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let expected = "load   ops  long\nput:1  1–2     3\nx        –\n";
        assert_eq!(table(&["load", "ops", "long"], &rows), expected);
    }
}
