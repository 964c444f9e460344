//! `conclave lease`: leases.

mod grant;
mod keep_alive;
mod list;
mod revoke;
mod time_to_live;

use clap::Subcommand;

use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Lease {
    Grant(grant::Grant),
    Revoke(revoke::Revoke),
    #[command(name = "timetolive", alias = "ttl")]
    TimeToLive(time_to_live::TimeToLive),
    List(list::List),
    KeepAlive(keep_alive::KeepAlive),
}

impl Lease {
    pub(crate) fn run(self) -> Result {
        match self {
            Lease::Grant(grant) => grant.run(),
            Lease::Revoke(revoke) => revoke.run(),
            Lease::TimeToLive(time_to_live) => time_to_live.run(),
            Lease::List(list) => list.run(),
            Lease::KeepAlive(keep_alive) => keep_alive.run(),
        }
    }
}

/// Reads a lease's id: hexadecimal, as it is printed.
pub(crate) fn lease_id(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    // The id is printed as the 64 bits that it has.
    u64::from_str_radix(digits, 16)
        .map(u64::cast_signed)
        .map_err(|_| format!("{text:?} is not a lease's id: up to 16 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_printed() {
        for id in [0, 1, 0x3269_5410_dcc0_ca06, i64::MAX, -1] {
            assert_eq!(lease_id(&format!("{id:016x}")), Ok(id));
        }
        assert_eq!(lease_id("0xff"), Ok(255));
        for wrong in ["", "g", "-1", "12345678901234567"] {
            assert!(lease_id(wrong).is_err(), "{wrong}");
        }
    }
}
