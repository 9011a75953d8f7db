//! The manager's metrics in Prometheus' text format, served by a listener of their own: who may scrape is another
//! question than who may call the API.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::net::TcpListener;

use crate::http::{ConnectionLimits, serve_plain};

/// Connections of scrapers.
const SCRAPERS_MAX: usize = 16;
/// Upper bounds of latencies, in seconds.
const LATENCY_BUCKETS_S: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// An empty registry, under whose prefix all of the manager's metrics are: `inlay_manager`.
#[must_use]
pub fn registry() -> Registry {
    Registry::with_prefix("inlay_manager")
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
}

/// Metrics of the HTTP API. Labels are of the table of routes, never of a client's making.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    commits: Histogram,
}

impl HttpMetrics {
    /// Adds them to a registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(latency_histogram),
            in_flight: Gauge::default(),
            commits: latency_histogram(),
        };
        registry.register(
            "http_requests",
            "Requests answered",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request",
            "From a request's head until its answer's head; waits for hosts are part of it",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register(
            "http_in_flight",
            "Requests that are being answered",
            metrics.in_flight.clone(),
        );
        registry.register_with_unit(
            "commit",
            "From a validly formed change until it is durable",
            Unit::Seconds,
            metrics.commits.clone(),
        );
        metrics
    }

    /// A request was answered. The route is empty where nothing is at the path.
    pub(crate) fn answered(&self, route: &str, method: &'static str, status: u16, time: Duration) {
        let route = route.to_owned();
        let labels = RouteLabels {
            route: route.clone(),
            method,
        };
        self.latency
            .get_or_create(&labels)
            .observe(time.as_secs_f64());
        let labels = RequestLabels {
            route,
            method,
            status,
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// A change was made.
    pub(crate) fn committed(&self, time: Duration) {
        self.commits.observe(time.as_secs_f64());
    }

    /// A request, while what is returned is held.
    pub(crate) fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }
}

fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY_BUCKETS_S)
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Serves `GET /metrics` over plain HTTP until `shutdown` is ready.
pub async fn serve(
    listener: TcpListener,
    registry: Arc<Registry>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let page = move || {
        let registry = Arc::clone(&registry);
        async move { page(&registry) }
    };
    let limits = ConnectionLimits {
        connections_max: SCRAPERS_MAX,
        per_address_max: SCRAPERS_MAX,
        ..ConnectionLimits::default()
    };
    let app = Router::new().route("/metrics", get(page));
    serve_plain(listener, app, limits, shutdown).await;
}

fn page(registry: &Registry) -> Response {
    let mut text = String::new();
    if encode(&mut text, registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let mut registry = registry();
        let metrics = HttpMetrics::register(&mut registry);
        metrics.answered("/v1/hosts", "GET", 200, Duration::from_millis(3));
        metrics.committed(Duration::from_millis(20));
        let in_flight = metrics.in_flight();
        let shown = |registry: &Registry| {
            let mut text = String::new();
            encode(&mut text, registry).unwrap();
            text
        };
        let text = shown(&registry);
        for line in [
            r#"inlay_manager_http_requests_total{route="/v1/hosts",method="GET",status="200"} 1"#,
            r#"inlay_manager_http_request_seconds_count{route="/v1/hosts",method="GET"} 1"#,
            "inlay_manager_http_in_flight 1",
            r#"inlay_manager_commit_seconds_bucket{le="0.025"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        drop(in_flight);
        assert!(shown(&registry).contains("inlay_manager_http_in_flight 0"));
    }
}
