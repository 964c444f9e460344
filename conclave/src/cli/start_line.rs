//! The command that starts a member, such that a shell takes it as it is printed.

use std::path::Path;

use client::etcdserverpb::Member as Row;
use server::InitialMember;

/// What a member is started with.
#[derive(Debug)]
pub(super) struct StartLine<'a> {
    pub(super) name: &'a str,
    pub(super) data_dir: &'a Path,
    /// All whom it is told of, itself among them.
    pub(super) cluster: &'a [InitialMember],
    /// Addresses that are taken, as far as is known.
    pub(super) taken: &'a [String],
    /// Whether the cluster is there already.
    pub(super) joins: bool,
    /// The cluster's token, unless it is the one that goes without saying.
    pub(super) token: Option<&'a str>,
}

impl StartLine<'_> {
    /// The command, of two lines.
    pub(super) fn render(&self) -> String {
        let own = self.cluster.iter().find(|member| member.name == self.name);
        let own = own.map(|member| member.peer.as_str()).unwrap_or_default();
        let binary = std::env::current_exe().ok();
        let binary = binary.as_deref().and_then(Path::to_str).unwrap_or("conclave");
        let words = |words: &[&str]| words.iter().map(|word| quote(word)).collect::<Vec<_>>();
        let (dir, client) = (self.data_dir.to_string_lossy(), self.client(own));
        let mut first = words(&[binary, "agent", "--server", "--name", self.name]);
        first.extend(words(&["--data-dir", &dir, "--listen-peer", own]));
        first.extend(words(&["--listen-client", &client]));
        let cluster: Vec<String> =
            self.cluster.iter().map(|it| format!("{}={}", it.name, it.peer)).collect();
        let mut second = words(&["--initial-cluster", &cluster.join(",")]);
        if self.joins {
            second.extend(words(&["--initial-cluster-state", "existing"]));
        }
        if let Some(token) = self.token {
            second.extend(words(&["--cluster-token", token]));
        }
        format!("{} \\\n    {}", first.join(" "), second.join(" "))
    }

    /// Where its clients may reach it: beside its peers, one port below or, where that is taken, on
    /// the next one above that is free.
    fn client(&self, own: &str) -> String {
        let (host, port) = own.rsplit_once(':').unwrap_or((own, "2380"));
        let port: u16 = port.parse().unwrap_or(2380);
        let peers = self.cluster.iter().map(|member| member.peer.as_str());
        let taken: Vec<&str> = self.taken.iter().map(String::as_str).chain(peers).collect();
        let mut ports = std::iter::once(port.saturating_sub(1)).chain(port..=u16::MAX);
        let free = |port: &u16| *port > 0 && !taken.contains(&format!("{host}:{port}").as_str());
        format!("{host}:{}", ports.find(free).unwrap_or(port))
    }
}

/// The `host:port` of a URL, or of what goes without a scheme.
pub(super) fn bare(url: &str) -> &str {
    url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/')
}

/// The addresses that members have.
pub(super) fn taken(members: &[Row]) -> Vec<String> {
    let urls = members.iter().flat_map(|row| row.peer_ur_ls.iter().chain(&row.client_ur_ls));
    urls.map(|url| bare(url).to_owned()).collect()
}

/// A word that a shell reads as it is.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cluster: &[(&str, &str)], taken: &[&str], token: Option<&str>) -> String {
        let member = |(name, peer): &(&str, &str)| InitialMember {
            name: (*name).to_owned(),
            peer: (*peer).to_owned(),
        };
        let cluster: Vec<_> = cluster.iter().map(member).collect();
        let taken: Vec<_> = taken.iter().map(ToString::to_string).collect();
        let data_dir = Path::new("it's");
        let line =
            StartLine { name: "c", data_dir, cluster: &cluster, taken: &taken, joins: true, token };
        line.render()
    }

    #[test]
    fn it_names_all_that_a_member_needs() {
        let text = line(&[("a", "h:1"), ("c", "10.0.0.4:2380")], &[], Some("tuesday"));
        assert!(text.contains(" --name c --data-dir 'it'\\''s' --listen-peer 10.0.0.4:2380 "));
        assert!(text.contains(" --listen-client 10.0.0.4:2379 \\\n"), "{text}");
        assert!(text.contains("--initial-cluster a=h:1,c=10.0.0.4:2380 --initial-cluster-state"));
        assert!(text.ends_with(" existing --cluster-token tuesday"), "{text}");
    }

    #[test]
    fn clients_get_a_port_that_is_free_as_far_as_is_known() {
        let text = line(&[("a", "h:7"), ("c", "h:5")], &["h:4", "h:6", "g:8"], None);
        assert!(text.contains("--listen-client h:8 "), "{text}");
        assert!(line(&[("c", "h:1")], &[], None).contains("--listen-client h:2 "));
    }

    #[test]
    fn only_words_that_need_it_are_quoted() {
        assert_eq!(quote("--a=b/c.d:1,2"), "--a=b/c.d:1,2");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), "'it'\\''s'");
        assert_eq!(quote("$HOME"), "'$HOME'");
    }
}
