//! gRPC's own services beside etcd's: health, and reflection for tools such as grpcurl.

use std::convert::Infallible;
use std::fmt;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::util::BoxCloneSyncService;

type Grpc = BoxCloneSyncService<Request<Incoming>, Response<tonic::body::Body>, Infallible>;

/// The services, by name.
pub(super) struct Aside {
    services: Vec<(&'static str, Grpc)>,
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.services.iter().map(|(name, _)| name)).finish()
    }
}

fn boxed<S>(service: S) -> (&'static str, Grpc)
where
    S: tower::Service<
            Request<Incoming>,
            Response = Response<tonic::body::Body>,
            Error = Infallible,
            Future: Send,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
{
    (S::NAME, BoxCloneSyncService::new(service))
}

impl Aside {
    pub(super) fn new() -> Self {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(etcdpb::DESCRIPTOR)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let whole = "the checked-in descriptors are whole";
        // The service "" stands for the server, and is SERVING from the start.
        let health = HealthService::from_health_reporter(HealthReporter::new());
        Self {
            services: vec![
                boxed(HealthServer::new(health)),
                boxed(reflection().build_v1().expect(whole)),
                boxed(reflection().build_v1alpha().expect(whole)),
            ],
        }
    }

    /// The service that a path belongs to.
    pub(super) fn service(&self, path: &str) -> Option<Grpc> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        self.services.iter().find(|(name, _)| *name == service).map(|(_, grpc)| grpc.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::Aside;

    #[test]
    fn health_and_both_reflections_are_there() {
        let aside = Aside::new();
        for service in [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ] {
            assert!(aside.service(&format!("/{service}/Any")).is_some(), "{service}");
        }
        assert!(aside.service("/nobody/Any").is_none());
        assert!(aside.service("").is_none());
    }
}
