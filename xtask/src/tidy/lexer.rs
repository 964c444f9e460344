//! Just enough of Rust's grammar to tell code from comments and from the inside of strings.

/// One line of a Rust file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The code, with the insides of strings and characters left out.
    pub(crate) code: String,
    /// The comment, without its opening slashes.
    pub(crate) comment: String,
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    /// Block comments nest.
    BlockComment(usize),
    Text,
    /// A raw string, closed by a quote and this many `#`.
    RawText(usize),
}

/// Splits a file.
pub(crate) fn split(text: &str) -> Vec<Line> {
    let mut splitter = Splitter { state: State::Code, lines: Vec::new() };
    for line in text.lines() {
        splitter.line(line);
    }
    splitter.lines
}

struct Splitter {
    state: State,
    lines: Vec<Line>,
}

impl Splitter {
    fn line(&mut self, text: &str) {
        let mut out = Line::default();
        if matches!(self.state, State::LineComment) {
            self.state = State::Code;
        }
        let mut rest = text;
        while !rest.is_empty() {
            let taken = match self.state {
                State::Code => self.code(rest, &mut out),
                State::LineComment => {
                    out.comment.push_str(rest);
                    rest.len()
                }
                State::BlockComment(depth) => self.block_comment(rest, depth, &mut out),
                State::Text => self.text(rest, &mut out),
                State::RawText(hashes) => self.raw_text(rest, hashes, &mut out),
            };
            assert!(taken > 0, "the splitter moves on");
            rest = &rest[taken..];
        }
        self.lines.push(out);
    }

    /// Each of these takes a first piece of `rest` and gives its length.
    fn code(&mut self, rest: &str, out: &mut Line) -> usize {
        if rest.starts_with("//") {
            self.state = State::LineComment;
            return 2;
        }
        if rest.starts_with("/*") {
            self.state = State::BlockComment(1);
            return 2;
        }
        let in_word = out.code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if let Some((length, hashes)) = raw_opening(rest).filter(|_| !in_word) {
            self.state = State::RawText(hashes);
            out.code.push('"');
            return length;
        }
        if rest.starts_with('"') {
            self.state = State::Text;
            out.code.push('"');
            return 1;
        }
        if let Some(length) = character(rest) {
            out.code.push_str("''");
            return length;
        }
        let first = first(rest);
        out.code.push(first);
        first.len_utf8()
    }

    fn block_comment(&mut self, rest: &str, depth: usize, out: &mut Line) -> usize {
        if rest.starts_with("/*") {
            self.state = State::BlockComment(depth + 1);
            return 2;
        }
        if rest.starts_with("*/") {
            self.state = if depth == 1 { State::Code } else { State::BlockComment(depth - 1) };
            return 2;
        }
        let first = first(rest);
        out.comment.push(first);
        first.len_utf8()
    }

    fn text(&mut self, rest: &str, out: &mut Line) -> usize {
        if let Some(escaped) = rest.strip_prefix('\\') {
            return 1 + escaped.chars().next().map_or(0, char::len_utf8);
        }
        if rest.starts_with('"') {
            self.state = State::Code;
            out.code.push('"');
        }
        first(rest).len_utf8()
    }

    fn raw_text(&mut self, rest: &str, hashes: usize, out: &mut Line) -> usize {
        let closing = format!("\"{}", "#".repeat(hashes));
        if rest.starts_with(&closing) {
            self.state = State::Code;
            out.code.push('"');
            return closing.len();
        }
        first(rest).len_utf8()
    }
}

fn first(rest: &str) -> char {
    rest.chars().next().expect("the rest of the line is not empty")
}

/// The length of `r"`, `br##"` … and its number of `#`.
fn raw_opening(rest: &str) -> Option<(usize, usize)> {
    let hashes_on = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let quote_on = hashes_on.trim_start_matches('#');
    quote_on
        .starts_with('"')
        .then(|| (rest.len() - quote_on.len() + 1, hashes_on.len() - quote_on.len()))
}

/// The length of a character literal; none for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escaped) = inside.strip_prefix('\\') {
        let after = escaped.chars().next()?.len_utf8();
        return escaped[after..].find('\'').map(|close| 2 + after + close + 1);
    }
    let length = inside.chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(1 + length + 1)
}

/// For each line, whether it belongs to an item under `#[cfg(test)]`, attribute included.
pub(crate) fn test_items(lines: &[Line]) -> Vec<bool> {
    let mut depth = None;
    let mut marks = Vec::with_capacity(lines.len());
    for Line { code, .. } in lines {
        if depth.is_none() && code.trim_start().starts_with("#[cfg(test)]") {
            depth = Some(0_usize);
        }
        marks.push(depth.is_some());
        let Some(before) = depth else { continue };
        let opened = code.matches('{').count();
        let after = (before + opened).saturating_sub(code.matches('}').count());
        let over = after == 0 && (before + opened > 0 || code.trim_end().ends_with(';'));
        depth = (!over).then_some(after);
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        split(text).into_iter().map(|line| line.code).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn strings_and_comments_are_not_code() {
        assert_eq!(code(r#"a("b // c", 'd'); // e"#), r#"a("", ''); "#);
        assert_eq!(code("a(\"b\\\"c\"); d"), "a(\"\"); d");
        assert_eq!(code("r#\"a \" b\"#; c"), "\"\"; c");
        assert_eq!(code("a /* b /* c */ d */ e"), "a  e");
        assert_eq!(code("\"a\nb\"; c"), "\"\n\"; c");
    }

    #[test]
    fn lifetimes_are_code_and_characters_are_not() {
        assert_eq!(code("fn f<'a>(x: &'a str) { '\\'' }"), "fn f<'a>(x: &'a str) { '' }");
        assert_eq!(code("'\"' + '\\u{1f}' + b'x'"), "'' + '' + b''");
    }

    #[test]
    fn comments_are_kept() {
        let lines = split("let a = 1; // why\n/* one\ntwo */ let b;");
        assert_eq!(lines[0].comment, " why");
        assert_eq!(lines[1].comment, " one");
        assert_eq!(lines[2], Line { code: " let b;".to_owned(), comment: "two ".to_owned() });
    }

    #[test]
    fn items_under_cfg_test_are_marked_and_what_follows_is_not() {
        let text = "fn a() {}\n#[cfg(test)]\nmod t {\n  fn b() { \"}\" }\n}\nfn c() {}\n\
                    #[cfg(test)]\nmod far;\nfn d() {}";
        let marks = test_items(&split(text));
        assert_eq!(marks, [false, true, true, true, true, false, true, true, false]);
    }
}
