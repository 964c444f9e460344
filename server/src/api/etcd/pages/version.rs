//! `/version`: numbers with dots, which Patroni and others parse, and our own beside them.

use super::{JSON, Page};
use crate::api::etcd::options::{CLUSTER_VERSION, COMPATIBLE_VERSION, OWN_VERSION};

pub(super) fn page() -> Page {
    let etcd = format!(r#""etcdserver":"{COMPATIBLE_VERSION}","etcdcluster":"{CLUSTER_VERSION}""#);
    let ours = format!(r#""storage":"{CLUSTER_VERSION}","conclave":"{OWN_VERSION}""#);
    Page::ok(JSON, format!("{{{etcd},{ours}}}"))
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_version_is_one_json_object_that_starts_as_etcds() {
        let page = page();
        assert_eq!(page.content_type, "application/json");
        let body = page.body;
        let etcd = r#"{"etcdserver":"3.6.4","etcdcluster":"3.6.0","storage":"3.6.0","conclave":""#;
        assert!(body.starts_with(etcd), "{body}");
        assert!(body.ends_with("\"}"), "{body}");
    }
}
