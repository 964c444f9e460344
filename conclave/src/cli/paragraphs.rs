//! Help that fits the terminal. Descriptions are written with lines of their own, which examples
//! need; so their paragraphs would be broken twice, where the source breaks and where the terminal
//! does.

use clap::Command;

/// Joins the lines of each paragraph, here and in all commands below. What is set off by spaces, as
/// examples are, stays as it is. Lists of commands show the first sentence alone.
pub(super) fn joined(command: Command) -> Command {
    let short = command.get_about().map(|about| join(&about.to_string()));
    let long = command.get_long_about().map(|about| join(&about.to_string()));
    let command = match (short, long) {
        (Some(short), long) => {
            let sentence = sentence(&short).to_owned();
            command.about(sentence).long_about(long.unwrap_or(short))
        }
        (None, Some(long)) => command.long_about(long),
        (None, None) => command,
    };
    command.mut_subcommands(joined)
}

/// The first sentence, without its full stop.
fn sentence(text: &str) -> &str {
    let end = text.split_once(". ").map_or(text, |(sentence, _)| sentence);
    end.strip_suffix('.').unwrap_or(end)
}

fn join(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut goes_on = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        if !joined.is_empty() {
            joined.push(if goes_on && is_prose { ' ' } else { '\n' });
        }
        joined.push_str(line);
        goes_on = is_prose;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn only_what_is_set_off_keeps_its_lines() {
        let text = "One\ntwo.\n\nThree:\n\n  four \\\n    five\n  six";
        assert_eq!(join(text), "One two.\n\nThree:\n\n  four \\\n    five\n  six");
    }

    #[test]
    fn lists_show_a_sentence_and_the_help_of_a_command_all_of_them() {
        let command = Command::new("it").subcommand(Command::new("go").about("Go on.\nOr not."));
        let mut command = joined(command);
        assert!(command.render_long_help().to_string().contains("go    Go on\n"));
        let go = command.find_subcommand_mut("go").unwrap();
        assert!(go.render_long_help().to_string().starts_with("Go on. Or not.\n"));
        assert_eq!(sentence("Port 7946 in v1.2 as ever."), "Port 7946 in v1.2 as ever");
    }

    #[test]
    fn no_paragraph_is_broken_where_the_terminal_does_not_break_it() {
        fn check(command: &Command) {
            let help = command.clone().term_width(80).render_long_help().to_string();
            let about: Vec<&str> = help.lines().take_while(|it| !it.starts_with("Usage")).collect();
            for pair in about.windows(2) {
                let next = pair[1].split(' ').next().unwrap_or_default();
                let prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
                if prose(pair[0]) && prose(pair[1]) {
                    let fits = pair[0].chars().count() + 1 + next.chars().count() <= 80;
                    assert!(!fits, "{}: {pair:?}", command.get_name());
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&joined(Cli::command()));
    }
}
