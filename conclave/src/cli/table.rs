//! Tables for people.

/// Lays rows out under their headings, two spaces apart. Columns of numbers are set to the right.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let columns = headings.len();
    let mut widths: Vec<usize> = headings.iter().map(|heading| width(heading)).collect();
    let mut numeric = vec![!rows.is_empty(); columns];
    for row in rows {
        assert_eq!(row.len(), columns, "each row has a cell for each heading");
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
            numeric[column] &= is_number(cell);
        }
    }
    let mut text = String::new();
    let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let fill = " ".repeat(widths[column] - width(cell));
            let (before, after) =
                if numeric[column] { (fill, String::new()) } else { (String::new(), fill) };
            let gap = if column == 0 { "" } else { "  " };
            line += &format!("{gap}{before}{cell}{after}");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn is_number(cell: &str) -> bool {
    let number = cell.split(' ').next().unwrap_or_default();
    cell == "-" || number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Bytes in the largest unit that keeps at least one whole digit, such as `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let rows = vec![vec!["n1".into(), "7".into()], vec!["longer".into(), "1200".into()]];
        let expected = "NAME    TERM\nn1         7\nlonger  1200\n";
        assert_eq!(table(&["NAME", "TERM"], &rows), expected);
    }

    #[test]
    fn addresses_and_ids_are_no_numbers() {
        assert!(["7", "1.5 MiB", "-"].iter().all(|cell| is_number(cell)));
        assert!(!["127.0.0.1:2379", "6f66", "n1", "1x"].iter().any(|cell| is_number(cell)));
    }

    #[test]
    fn a_table_without_rows_is_its_headings() {
        assert_eq!(table(&["A", "B"], &[]), "A  B\n");
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(20 << 20), "20.0 MiB");
        assert_eq!(size(u64::MAX), "16383.9 PiB");
    }
}
