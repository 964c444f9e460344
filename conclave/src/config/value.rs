//! The values of settings, as people write them.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use server::{DiskReserve, InitialMember, Reads, Threads};

/// Reads `250ms`, `2s`, `5m`, `1h`, or a bare number of milliseconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time such as 250ms, 2s or 5m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms: u64 = match &text[digits.len()..] {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// Reads `1572864`, `64KiB`, `16MiB` or `1GiB`.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is not a size such as 65536, 64KiB or 16MiB");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: usize = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: usize = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

/// Reads a size, or `5%`.
pub(super) fn disk_reserve(text: &str) -> Result<DiskReserve, String> {
    let wrong = || format!("{text:?} is neither a size such as 512MiB nor a share such as 5%");
    let Some(percent) = text.strip_suffix('%') else {
        return bytes(text).map(|bytes| DiskReserve::Bytes(bytes as u64)).map_err(|_| wrong());
    };
    match percent.parse() {
        Ok(percent @ 0..=90) => Ok(DiskReserve::Percent(percent)),
        Ok(_) | Err(_) => Err(wrong()),
    }
}

/// What is said of TLS, which is not there yet.
const NO_TLS: &str = "there is no TLS yet";

/// Reads an address of this machine to listen on: `127.0.0.1:2379`, or a host name in the place of
/// the number, which is looked up. A scheme before it is allowed, as etcd has it.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    const FORM: &str = "an address such as 127.0.0.1:2379, [::1]:2379 or localhost:2379";
    if text.starts_with("https://") {
        return Err(format!("{NO_TLS}: {text:?} must be {FORM}"));
    }
    let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    if let Ok(address) = address.parse() {
        return Ok(address);
    }
    let parts = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let Some((host, Ok(port))) = parts.map(|(host, port)| (host, port.parse::<u16>())) else {
        return Err(format!("{text:?} is not {FORM}"));
    };
    let found = (host, port).to_socket_addrs();
    let found: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
    // Others look for a name's first number of the older kind, too.
    let first = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    first.copied().ok_or_else(|| format!("no address is known for the host {host:?}: give {FORM}"))
}

/// Reads `name=host:port`; a scheme before the host is allowed, as etcd has it.
pub(crate) fn initial_member(text: &str) -> Result<InitialMember, String> {
    let wrong = || format!("{text:?} is not a member such as n1=127.0.0.1:2380");
    let (name, peer) = text.split_once('=').ok_or_else(wrong)?;
    if peer.starts_with("https://") {
        return Err(format!("{NO_TLS}: give NAME=HOST:PORT or NAME=http://HOST:PORT"));
    }
    let peer = peer.strip_prefix("http://").unwrap_or(peer).trim_end_matches('/');
    let (host, port) = peer.rsplit_once(':').ok_or_else(wrong)?;
    if name.is_empty() || host.is_empty() || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(InitialMember { name: name.to_owned(), peer: peer.to_owned() })
}

/// Reads `host:port`.
pub(super) fn address(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no address such as 10.0.0.1:2380");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_host = !host.is_empty() && !host.contains('/');
    (is_host && port.parse::<u16>().is_ok()).then(|| text.to_owned()).ok_or_else(wrong)
}

/// Reads how many servers found a group.
pub(super) fn expect(text: &str) -> Result<usize, String> {
    let most = protocol::bootstrap::Pledge::MOST_SERVERS;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("{text:?} is no number of servers from 1 to {most}"))
}

/// Reads `quorum` or `lease:PER_MILLE`.
pub(super) fn reads(text: &str) -> Result<Reads, String> {
    let wrong = || format!("{text:?} is neither quorum nor lease:DRIFT, in parts per thousand");
    match text.split_once(':') {
        None if text == "quorum" => Ok(Reads::Quorum),
        Some(("lease", drift)) => match drift.parse() {
            Ok(drift_per_mille) if drift_per_mille < 1_000 => Ok(Reads::Lease { drift_per_mille }),
            Ok(_) | Err(_) => Err(wrong()),
        },
        None | Some(_) => Err(wrong()),
    }
}

/// Reads `auto`, `shared` or `split:CONNECTIONS`.
pub(super) fn threads(text: &str) -> Result<Threads, String> {
    let wrong = || format!("{text:?} is none of auto, shared and split:N");
    match text.split_once(':') {
        None if text == "auto" => Ok(Threads::Auto),
        None if text == "shared" => Ok(Threads::Shared),
        Some(("split", connections)) => match connections.parse() {
            Ok(connections @ 1..=1024) => Ok(Threads::Split { connections }),
            Ok(_) | Err(_) => Err(wrong()),
        },
        None | Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_or_are_milliseconds() {
        let ms = |text| duration(text).unwrap().as_millis();
        assert_eq!(
            [ms("100"), ms("100ms"), ms("2s"), ms("5m"), ms("1h")],
            [100, 100, 2_000, 300_000, 3_600_000]
        );
        for wrong in ["", "s", "-1s", "1.5s", "2 s", "2d", "99999999999999999999", "ä"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(duration("18446744073709551615h").is_err());
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(bytes("1536KiB"), Ok(1_572_864));
        assert_eq!(bytes("7"), Ok(7));
        for wrong in ["", "KiB", "1KB", "-1", "99999999999999GiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reserve_is_a_size_or_a_share() {
        assert_eq!(disk_reserve("512MiB"), Ok(DiskReserve::Bytes(512 << 20)));
        assert_eq!(disk_reserve("0"), Ok(DiskReserve::Bytes(0)));
        assert_eq!(disk_reserve("5%"), Ok(DiskReserve::Percent(5)));
        for wrong in ["", "%", "91%", "-1%", "5 %", "1.5%", "5MB"] {
            let text = disk_reserve(wrong).unwrap_err();
            assert!(text.contains("neither a size such as 512MiB nor a share"), "{text}");
        }
    }

    #[test]
    fn a_host_name_is_looked_up_and_what_is_no_address_is_told_the_form() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(listen("127.0.0.1:7"), Ok(address("127.0.0.1:7")));
        assert_eq!(listen("http://[::1]:7/"), Ok(address("[::1]:7")));
        assert_eq!(listen("localhost:7"), Ok(address("127.0.0.1:7")));
        for wrong in ["2379", "", ":7", "127.0.0.1", "localhost:x", "localhost:99999"] {
            let text = listen(wrong).unwrap_err();
            assert!(
                text.contains("such as 127.0.0.1:2379, [::1]:2379 or localhost:2379"),
                "{text}"
            );
        }
        assert!(listen("no.such.host.invalid:7").unwrap_err().contains("no address is known"));
        assert!(listen("https://127.0.0.1:7").unwrap_err().contains("no TLS yet"));
        assert!(initial_member("a=https://h:1").unwrap_err().contains("no TLS yet"));
    }

    #[test]
    fn members_are_a_name_and_an_address() {
        let member = initial_member("n1=http://[::1]:2380/").unwrap();
        assert_eq!((&member.name[..], &member.peer[..]), ("n1", "[::1]:2380"));
        for wrong in ["n1", "n1=", "=h:1", "n1=h", "n1=:1", "n1=h:99999"] {
            assert!(initial_member(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn choices_are_words_with_a_number_where_one_is_needed() {
        assert_eq!(reads("lease:10"), Ok(Reads::Lease { drift_per_mille: 10 }));
        assert_eq!(reads("quorum"), Ok(Reads::Quorum));
        assert_eq!(threads("split:4"), Ok(Threads::Split { connections: 4 }));
        assert_eq!(threads("shared"), Ok(Threads::Shared));
        for wrong in ["lease", "lease:1000", "lease:x", "quorum:1", ""] {
            assert!(reads(wrong).is_err(), "{wrong}");
        }
        for wrong in ["split", "split:0", "auto:1", ""] {
            assert!(threads(wrong).is_err(), "{wrong}");
        }
    }
}
