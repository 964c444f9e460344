//! The methods of the API, as a table: path, kind, and whether this version answers them.

/// How messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One there, one back.
    Unary,
    /// One there, many back.
    ServerStream,
    /// Many both ways.
    BidiStream,
}

impl Kind {
    /// The value of the metrics' label `grpc_type`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStream => "server_stream",
            Self::BidiStream => "bidi_stream",
        }
    }
}

macro_rules! methods {
    ($($service:literal { $($name:ident = $method:literal $kind:ident,)* })*) => {
        /// A method that is answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Method {
            $($($name,)*)*
        }

        impl Method {
            /// All of them; the place of each is its number.
            pub(crate) const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// The method of a request path.
            pub(crate) fn of(path: &str) -> Option<Self> {
                match path {
                    $($(concat!("/", $service, "/", $method) => Some(Self::$name),)*)*
                    _ => None,
                }
            }

            /// Service, name and kind.
            pub(crate) const fn describe(self) -> (&'static str, &'static str, Kind) {
                match self {
                    $($(Self::$name => ($service, $method, Kind::$kind),)*)*
                }
            }
        }
    };
}

methods! {
    "etcdserverpb.KV" {
        Range = "Range" Unary,
        RangeStream = "RangeStream" ServerStream,
        Put = "Put" Unary,
        DeleteRange = "DeleteRange" Unary,
        Txn = "Txn" Unary,
        Compact = "Compact" Unary,
    }
    "etcdserverpb.Watch" {
        Watch = "Watch" BidiStream,
    }
    "etcdserverpb.Lease" {
        LeaseGrant = "LeaseGrant" Unary,
        LeaseRevoke = "LeaseRevoke" Unary,
        LeaseKeepAlive = "LeaseKeepAlive" BidiStream,
        LeaseTimeToLive = "LeaseTimeToLive" Unary,
        LeaseLeases = "LeaseLeases" Unary,
    }
    "etcdserverpb.Cluster" {
        MemberList = "MemberList" Unary,
        MemberAdd = "MemberAdd" Unary,
        MemberRemove = "MemberRemove" Unary,
        MemberUpdate = "MemberUpdate" Unary,
        MemberPromote = "MemberPromote" Unary,
    }
    "etcdserverpb.Maintenance" {
        Alarm = "Alarm" Unary,
        Status = "Status" Unary,
        Defragment = "Defragment" Unary,
        Hash = "Hash" Unary,
        HashKv = "HashKV" Unary,
        MoveLeader = "MoveLeader" Unary,
        Snapshot = "Snapshot" ServerStream,
    }
    "etcdserverpb.Auth" {
        AuthStatus = "AuthStatus" Unary,
    }
    "conclavepb.Members" {
        MemberDemote = "Demote" Unary,
        MemberReplace = "Replace" Unary,
    }
}

impl Method {
    /// Whether a member without a vote answers it, as in etcd: a `Range` only when it is
    /// serializable.
    pub(super) const fn suits_learners(self) -> bool {
        matches!(self, Self::Range | Self::Status | Self::Snapshot)
    }
}

/// What else etcd answers and this version does not, with the sentence a caller gets.
pub(super) fn missing(path: &str) -> Option<&'static str> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    match (service, method) {
        ("etcdserverpb.Maintenance", "Downgrade") => {
            Some("etcdserver: downgrades are not supported by this version")
        }
        ("etcdserverpb.Auth", _) => {
            Some("etcdserver: authentication is not supported by this version")
        }
        ("v3lockpb.Lock", _) => {
            Some("etcdserver: the lock service is not supported by this version")
        }
        ("v3electionpb.Election", _) => {
            Some("etcdserver: the election service is not supported by this version")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, missing};

    #[test]
    fn every_method_is_found_by_its_own_path() {
        for method in Method::ALL {
            let (service, name, _) = method.describe();
            let path = format!("/{service}/{name}");
            assert_eq!(Method::of(&path), Some(*method));
        }
        assert_eq!(Method::of("/etcdserverpb.KV/Nothing"), None);
    }

    #[test]
    fn what_is_missing_says_so_and_what_is_unknown_does_not() {
        assert!(missing("/etcdserverpb.Auth/UserAdd").is_some());
        assert!(missing("/etcdserverpb.KV/Nothing").is_none());
        assert!(missing("/").is_none());
    }

    #[test]
    fn the_numbers_follow_the_table() {
        for (place, method) in Method::ALL.iter().enumerate() {
            assert_eq!(*method as usize, place);
        }
    }
}
