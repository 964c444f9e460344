//! Calls: how many, how they ended, how long they took.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tonic::Code;

use super::code_label;
use crate::api::etcd::method::Method;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type ByMethod<M> = Family<Labels<3>, M, fn() -> M>;

/// The handles of one method.
#[derive(Debug)]
struct MethodMetrics {
    started: Counter,
    handled: Counter,
    seconds: Histogram,
}

/// All methods, by their number. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct GrpcMetrics {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    methods: Vec<MethodMetrics>,
    handled: Family<Labels<4>, Counter>,
}

impl Shared {
    fn of(&self, method: Method) -> &MethodMetrics {
        self.methods.get(method as usize).expect("one for each method")
    }
}

/// A call under way. One that is dropped before it is finished was given up by its client.
#[derive(Debug)]
pub(crate) struct Timer {
    method: Method,
    metrics: GrpcMetrics,
    start: Instant,
    finished: bool,
}

fn labels(method: Method) -> Labels<3> {
    let (service, name, kind) = method.describe();
    [("grpc_type", kind.label()), ("grpc_service", service), ("grpc_method", name)]
}

fn with_code(method: Method, code: Code) -> Labels<4> {
    let [kind, service, name] = labels(method);
    [kind, service, name, ("grpc_code", code_label(code))]
}

/// From 50 microseconds to 26 seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 20))
}

impl GrpcMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let started = Family::<Labels<3>, Counter>::default();
        let handled = Family::<Labels<4>, Counter>::default();
        let durations: ByMethod<Histogram> = Family::new_with_constructor(seconds);
        registry.register("grpc_server_started", "Calls started", started.clone());
        registry.register("grpc_server_handled", "Calls ended, by code", handled.clone());
        registry.register(
            "grpc_server_handling_seconds",
            "How long calls took, streams from their opening to their end",
            durations.clone(),
        );
        let methods = Method::ALL.iter().map(|method| MethodMetrics {
            started: started.get_or_create_owned(&labels(*method)),
            handled: handled.get_or_create_owned(&with_code(*method, Code::Ok)),
            seconds: durations.get_or_create_owned(&labels(*method)),
        });
        let methods = methods.collect();
        Self { shared: Arc::new(Shared { methods, handled }) }
    }

    pub(super) fn started(&self, method: Method) -> Timer {
        self.shared.of(method).started.inc();
        Timer { method, metrics: self.clone(), start: Instant::now(), finished: false }
    }
}

impl Timer {
    /// The call has ended.
    pub(crate) fn finished(mut self, code: Code) {
        self.finish(code);
    }

    /// The call has ended; what is said after that counts no more.
    pub(crate) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let shared = &self.metrics.shared;
        let metrics = shared.of(self.method);
        if code == Code::Ok {
            metrics.handled.inc();
        } else {
            shared.handled.get_or_create(&with_code(self.method, code)).inc();
        }
        metrics.seconds.observe(self.start.elapsed().as_secs_f64());
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}
