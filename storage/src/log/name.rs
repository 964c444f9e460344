//! The names of the log's files.

const SEGMENT: &str = ".seg";
const SPARE: &str = ".free";

/// The file of a segment: its number in hexadecimal, so that names sort as numbers do.
pub(crate) fn segment(number: u64) -> String {
    format!("{number:016x}{SEGMENT}")
}

/// A file to be used again, under the number of the segment that it was.
pub(crate) fn spare(number: u64) -> String {
    format!("{number:016x}{SPARE}")
}

/// The number of the segment that a file is, if it is one.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    number(name.strip_suffix(SEGMENT)?)
}

/// The number that a spare carries, if it is one.
pub(crate) fn spare_number(name: &str) -> Option<u64> {
    number(name.strip_suffix(SPARE)?)
}

fn number(digits: &str) -> Option<u64> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digits.len() == 16 && digits.bytes().all(lower))
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}
