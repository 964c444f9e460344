//! The three places that settings stand in, read by one parser.

use std::path::Path;

use clap::{CommandFactory, Parser};

use super::settings::Settings;
use crate::failure::{Failure, Result};

/// What the names of variables of the environment begin with.
const PREFIX: &str = "CONCLAVE_";
/// Variables of other commands, which a server does not mind.
const OTHERS: [&str; 7] = [
    "CONCLAVE_CONFIG",
    "CONCLAVE_ENDPOINTS",
    "CONCLAVE_HTTP",
    // What `lock` and `elect` tell the commands that they run, of which a server may be one.
    "CONCLAVE_FENCE",
    "CONCLAVE_KEY",
    "CONCLAVE_LEASE",
    "CONCLAVE_GROUP",
];
/// How far a name may be from the one that was meant, in letters.
const TYPOS: usize = 2;

/// Settings as arguments, whatever they were written in.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Layer {
    #[command(flatten)]
    settings: Settings,
}

/// Joins the flags with the environment and the file.
///
/// # Errors
/// Names the place and the setting: an unknown name, or a value that does not fit.
pub(crate) fn collect(
    flags: Settings,
    environment: impl Iterator<Item = (String, String)>,
    file: Option<&Path>,
) -> Result<Settings> {
    let environment = from_environment(environment)?;
    let file = match file {
        Some(path) => from_file(path)?,
        None => Settings::default(),
    };
    Ok(flags.over(environment.over(file)))
}

fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Result<Settings> {
    let ours = |(name, value): (String, String)| {
        let is_ours = name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str());
        is_ours.then(|| (name[PREFIX.len()..].to_lowercase().replace('_', "-"), name, value))
    };
    let pairs: Vec<_> = variables.filter_map(ours).collect();
    parse("the environment", &pairs)
}

fn from_file(path: &Path) -> Result<Settings> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Failure::usage(format!("{shown} is not TOML: {}", error.to_string().trim_end()))
    })?;
    let mut pairs = Vec::with_capacity(table.len());
    for (key, value) in table {
        let Some(value) = plain(&value) else {
            return Err(Failure::usage(format!("{shown}: {key} takes a single value or a list")));
        };
        pairs.push((key.clone(), key, value));
    }
    parse(&shown, &pairs)
}

/// A TOML value as it would stand after a flag; `None` for what no flag can take.
fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Array(values) => {
            values.iter().map(plain).collect::<Option<Vec<_>>>().map(|list| list.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// Reads (setting, as it was written, value) triples that stand in `place`.
fn parse(place: &str, pairs: &[(String, String, String)]) -> Result<Settings> {
    let command = Layer::command();
    let names: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
    for (name, written, _) in pairs {
        if !names.contains(&name.as_str()) {
            return Err(unknown(place, (name, written), &names));
        }
    }
    let argument = |(name, _, value): &(String, String, String)| format!("--{name}={value}");
    match Layer::try_parse_from(pairs.iter().map(argument)) {
        Ok(layer) => Ok(layer.settings),
        Err(error) => {
            // The parser knows the flag; whoever has written it knows what is written there.
            let fails =
                |pair: &&(String, String, String)| Layer::try_parse_from([argument(pair)]).is_err();
            let written = pairs.iter().find(fails).map(|(_, written, _)| written.as_str());
            Err(Failure::usage(format!("{place}: {}", reason(&error.to_string(), written))))
        }
    }
}

/// What the parser says, in one line, of what stands there under another name.
fn reason(said: &str, written: Option<&str>) -> String {
    let mut lines = said.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = match (first.split_once(" for '--"), written) {
        (Some((before, after)), Some(written)) => {
            let after = after.split_once('\'').map_or("", |(_, after)| after);
            format!("{before} for {written}{after}")
        }
        _ => first.to_owned(),
    };
    match lines.find(|line| line.starts_with("[possible values")) {
        Some(values) => format!("{first} {values}"),
        None => first,
    }
}

/// A name that is none: the one that was meant, or all there are.
fn unknown(place: &str, (name, written): (&str, &str), names: &[&str]) -> Failure {
    let spell = |known: &str| match written.strip_prefix(PREFIX) {
        Some(_) => format!("{PREFIX}{}", known.to_uppercase().replace('-', "_")),
        None => known.to_owned(),
    };
    let meant = names.iter().min_by_key(|known| distance(name, known));
    let hint = match meant.filter(|known| distance(name, known) <= TYPOS) {
        Some(known) => format!("did you mean {}?", spell(known)),
        None => {
            let known: Vec<String> = names.iter().map(|known| spell(known)).collect();
            format!("known: {}", known.join(", "))
        }
    };
    Failure::usage(format!("{place}: unknown setting {written}; {hint}"))
}

/// How many letters have to be put in, taken out or changed to make one name of the other; what
/// stands between words does not count.
fn distance(one: &str, other: &str) -> usize {
    let letters =
        |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<Vec<char>>();
    let (one, other) = (letters(one), letters(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (to, wanted) in other.iter().enumerate() {
            let changed = before + usize::from(letter != wanted);
            before = row[to + 1];
            row[to + 1] = changed.min(before + 1).min(row[to] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::LogLevel;
    use std::time::Duration;

    fn flags(arguments: &[&str]) -> Settings {
        Layer::try_parse_from(arguments).unwrap().settings
    }

    fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> + use<> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect::<Vec<_>>().into_iter()
    }

    fn with_file(text: &str, test: impl FnOnce(&Path)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conclave.toml");
        std::fs::write(&path, text).unwrap();
        test(&path);
    }

    #[test]
    fn a_flag_counts_before_the_environment_and_that_before_the_file() {
        let file = "name = \"file\"\ncluster-token = \"file\"\nmax-txn-ops = 7\n";
        let variables = [("CONCLAVE_NAME", "env"), ("CONCLAVE_CLUSTER_TOKEN", "env")];
        with_file(file, |path| {
            let flags = flags(&["--name", "flag"]);
            let settings = collect(flags, environment(&variables), Some(path)).unwrap();
            assert_eq!(settings.name.as_deref(), Some("flag"));
            assert_eq!(settings.cluster_token.as_deref(), Some("env"));
            assert_eq!(settings.max_txn_ops, Some(7));
            assert_eq!(settings.data_dir, None);
        });
    }

    #[test]
    fn every_setting_can_stand_in_the_file_and_in_the_environment() {
        let command = Layer::command();
        for argument in command.get_arguments() {
            let name = argument.get_long().unwrap();
            let value = match name {
                "server"
                | "pre-vote"
                | "check-quorum"
                | "stickiness"
                | "rejoin"
                | "dismiss-doubt"
                | "encrypt-verify-incoming"
                | "encrypt-verify-outgoing"
                | "gossip-compress" => "true",
                "listen-client" | "listen-peer" | "listen-gossip" | "advertise-gossip"
                | "listen-http" | "join" => "127.0.0.1:1",
                "advertise-peer" => "127.0.0.1:1",
                "gossip-profile" => "wan",
                "groups" => "a:expect=3,b:electors=x+y,rank=2",
                "tag" => "role=web,zone=a",
                "encrypt" => "AAECAwQFBgcICQoLDA0ODw==",
                "initial-cluster" => "a=h:1,b=h:2",
                "initial-cluster-state" => "existing",
                "consensus" => "zab",
                "profile" => "lan-fast",
                "reads" => "quorum",
                "threads" => "shared",
                "log" => "warn",
                _ => "5",
            };
            let variable = format!("CONCLAVE_{}", name.to_uppercase().replace('-', "_"));
            let ours = environment(&[(&variable, value)]);
            let env = collect(Settings::default(), ours, None).unwrap();
            with_file(&format!("{name} = \"{value}\""), |path| {
                let none = environment(&[]);
                let file = collect(Settings::default(), none, Some(path)).unwrap();
                assert_eq!(format!("{env:?}"), format!("{file:?}"), "{name}");
                assert_ne!(format!("{file:?}"), format!("{:?}", Settings::default()), "{name}");
                // A higher layer hides it, and an empty one lets it through.
                let through = Settings::default().over(file.clone());
                assert_eq!(format!("{through:?}"), format!("{file:?}"), "{name}");
            });
        }
    }

    #[test]
    fn toml_values_keep_their_types() {
        let text = "server = true\nheartbeat-interval = 50\nlog = \"warn\"\n\
                    initial-cluster = [\"a=h:1\", \"b=h:2\"]\n";
        with_file(text, |path| {
            let settings = collect(Settings::default(), environment(&[]), Some(path)).unwrap();
            assert_eq!(settings.server, Some(true));
            assert_eq!(settings.heartbeat_interval, Some(Duration::from_millis(50)));
            assert_eq!(settings.log, Some(LogLevel::Warn));
            assert_eq!(settings.initial_cluster.unwrap().len(), 2);
        });
    }

    #[test]
    fn unknown_names_are_errors_everywhere() {
        with_file("nmae = \"n1\"", |path| {
            let failure = collect(Settings::default(), environment(&[]), Some(path)).unwrap_err();
            assert!(failure.text().ends_with("unknown setting nmae; did you mean name?"));
        });
        let ours = environment(&[("CONCLAVE_NMAE", "n1")]);
        let failure = collect(Settings::default(), ours, None).unwrap_err();
        let text = "the environment: unknown setting CONCLAVE_NMAE; did you mean CONCLAVE_NAME?";
        assert_eq!(failure.text(), text);
        let ours = environment(&[("CONCLAVE_ELEPHANT", "n1")]);
        let failure = collect(Settings::default(), ours, None).unwrap_err();
        assert!(failure.text().contains("known: CONCLAVE_NAME, CONCLAVE_DATA_DIR, "));
        with_file("data_dir = \"d\"", |path| {
            let failure = collect(Settings::default(), environment(&[]), Some(path)).unwrap_err();
            assert!(failure.text().ends_with("unknown setting data_dir; did you mean data-dir?"));
        });
        assert!(Layer::try_parse_from(["--nmae", "n1"]).is_err());
        let told = ["CONCLAVE_FENCE", "CONCLAVE_KEY", "CONCLAVE_LEASE", "CONCLAVE_GROUP"];
        let told = told.map(|name| (name, "7"));
        let others = [&told[..], &[("CONCLAVE_ENDPOINTS", "h:1"), ("HOME", "/")]].concat();
        let others = environment(&others);
        collect(Settings::default(), others, None).unwrap();
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let ours = environment(&[("CONCLAVE_HEARTBEAT_INTERVAL", "soon")]);
        let failure = collect(Settings::default(), ours, None).unwrap_err();
        let text = "the environment: invalid value 'soon' for CONCLAVE_HEARTBEAT_INTERVAL: \
                    \"soon\" is not a time such as 250ms, 2s or 5m";
        assert_eq!(failure.text(), text);
        let ours = environment(&[("CONCLAVE_LOG", "loud"), ("CONCLAVE_NAME", "n")]);
        let failure = collect(Settings::default(), ours, None).unwrap_err();
        let text = "the environment: invalid value 'loud' for CONCLAVE_LOG \
                    [possible values: error, warn, info, debug, trace]";
        assert_eq!(failure.text(), text);
        with_file("name = { first = 1 }", |path| {
            let failure = collect(Settings::default(), environment(&[]), Some(path)).unwrap_err();
            assert!(failure.text().contains("name takes a single value"));
        });
        with_file("name =", |path| {
            let failure = collect(Settings::default(), environment(&[]), Some(path)).unwrap_err();
            assert!(failure.text().contains("is not TOML"));
        });
    }
}
