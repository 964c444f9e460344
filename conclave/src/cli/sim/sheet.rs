//! A sheet of facts: a name in front, its value behind it, wrapped.

use std::fmt::Display;

const NAME: usize = 12;
const ROOM: usize = 100 - NAME;

/// A sheet of facts.
#[derive(Debug, Default)]
pub(super) struct Sheet(String);

impl Sheet {
    /// Adds a fact. Its value is broken at spaces where it is too long for a line.
    pub(super) fn fact(&mut self, name: &str, value: impl Display) {
        let mut rows: Vec<String> = vec![String::new()];
        for word in value.to_string().split(' ') {
            let row = rows.last_mut().expect("invariant: there is a first row");
            let length = row.chars().count();
            if row.is_empty() {
                row.push_str(word);
            } else if length + 1 + word.chars().count() <= ROOM {
                row.push(' ');
                row.push_str(word);
            } else {
                rows.push(word.to_owned());
            }
        }
        for (number, row) in rows.iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            self.0 += format!("{name:<NAME$}{row}").trim_end();
            self.0.push('\n');
        }
    }

    /// The text, with a line end behind each line.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// `a 1, b 2` of those that are not zero; `none` when all are.
pub(super) fn counts(counts: impl IntoIterator<Item = (String, u64)>) -> String {
    let parts = counts.into_iter().filter(|(_, count)| *count > 0);
    let parts: Vec<_> = parts.map(|(name, count)| format!("{name} {count}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_wrapped_under_their_beginning() {
        let mut sheet = Sheet::default();
        sheet.fact("time", "60 s");
        sheet.fact("faults", ["word"; 40].join(" "));
        let lines: Vec<&str> = sheet.text().lines().collect();
        assert_eq!(lines[0], "time        60 s");
        assert!(lines.len() > 2 && lines[2].starts_with("            word"));
        assert!(lines.iter().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn nothing_is_said_of_what_was_not() {
        let some = [("loss".to_owned(), 3), ("ring".to_owned(), 0), ("kill".to_owned(), 1)];
        assert_eq!(counts(some), "loss 3, kill 1");
        assert_eq!(counts([]), "none");
    }
}
