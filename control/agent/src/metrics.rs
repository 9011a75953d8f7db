//! Metrics in Prometheus' text format. Counters of the dataplane are read when somebody asks, and only then.

use std::{fmt, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use inlay_dataplane::{
    PIN_ROOT,
    inspect::{CounterView, DropCount, Inspection, ProgramView},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text::encode},
    metrics::{
        MetricType,
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tokio::net::TcpListener;
use tracing::{error, info};

use crate::identity::Validity;

/// The type of a page of metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the agent knows of itself. Clones are of one.
#[derive(Clone, Debug)]
pub struct Meters {
    /// Seconds from the arrival of a change until the maps held it.
    pub apply: Histogram,
    /// 1 while there is a stream to the manager.
    pub is_connected: Gauge,
    /// Streams that were lost or could not be made.
    pub lost_streams: Counter,
    /// The revision that is held.
    pub held_revision: Gauge,
    /// The revision that the maps hold.
    pub applied_revision: Gauge,
    /// Resources that are held.
    pub resources: Gauge,
    /// Resources that are refused.
    pub rejected: Gauge,
    /// Messages of the manager that wait.
    pub queue: Gauge,
    /// Ports and uplinks that do not work as they should.
    pub degraded: Gauge,
    /// Mappings in the maps.
    pub mappings: Gauge,
    /// When the host's certificate begins, Unix time in seconds.
    pub certificate_begins_s: Gauge,
    /// When it ends.
    pub certificate_ends_s: Gauge,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            // From half a millisecond to 8 seconds.
            apply: Histogram::new(exponential_buckets(0.0005, 2.0, 15)),
            is_connected: Gauge::default(),
            lost_streams: Counter::default(),
            held_revision: Gauge::default(),
            applied_revision: Gauge::default(),
            resources: Gauge::default(),
            rejected: Gauge::default(),
            queue: Gauge::default(),
            degraded: Gauge::default(),
            mappings: Gauge::default(),
            certificate_begins_s: Gauge::default(),
            certificate_ends_s: Gauge::default(),
        }
    }
}

impl Meters {
    /// Notes whose time the certificate has.
    pub fn note_certificate(&self, validity: Validity) {
        self.certificate_begins_s.set(validity.begins_s);
        self.certificate_ends_s.set(validity.ends_s);
    }

    /// All of them, and what `dataplane` counts.
    #[must_use]
    pub fn registry(&self, dataplane: impl Counted) -> Registry {
        let mut registry = Registry::with_prefix("inlay_agent");
        registry.register(
            "apply_seconds",
            "Time from the arrival of a change until the maps held it",
            self.apply.clone(),
        );
        let lost = "Streams to the manager that were lost or could not be made";
        registry.register("lost_streams", lost, self.lost_streams.clone());
        let gauges = [
            (
                "connected",
                "1 while there is a stream to the manager",
                &self.is_connected,
            ),
            (
                "held_revision",
                "Revision of the manager's that is held",
                &self.held_revision,
            ),
            (
                "applied_revision",
                "Revision of the manager's that the maps hold",
                &self.applied_revision,
            ),
            (
                "resources",
                "Resources that the manager sent",
                &self.resources,
            ),
            (
                "rejected_resources",
                "Resources whose last good value is in force instead",
                &self.rejected,
            ),
            ("queue", "Messages of the manager that wait", &self.queue),
            (
                "degraded",
                "Ports and uplinks that do not work as they should",
                &self.degraded,
            ),
            ("mappings", "Mappings in the maps", &self.mappings),
            (
                "certificate_begins_timestamp_seconds",
                "When the certificate of this host begins",
                &self.certificate_begins_s,
            ),
            (
                "certificate_ends_timestamp_seconds",
                "When the certificate of this host ends",
                &self.certificate_ends_s,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register_collector(Box::new(DataplaneCollector(dataplane)));
        registry
    }
}

/// What a dataplane counts, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Dropped packets.
    pub drops: Vec<DropCount>,
    /// What passed the ports.
    pub ports: Vec<CounterView>,
    /// Flows in the table, of each port: its network, its name, how many.
    pub flows: Vec<(String, String, u64)>,
    /// The programs.
    pub programs: Vec<ProgramView>,
}

/// What can be counted.
pub trait Counted: fmt::Debug + Send + Sync + 'static {
    /// Counts. It may block for some milliseconds.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn counts(&self) -> anyhow::Result<Counts>;
}

/// The dataplane of an instance.
#[derive(Clone, Debug)]
pub struct Instance(pub String);

impl Counted for Instance {
    fn counts(&self) -> anyhow::Result<Counts> {
        let inspection = Inspection::open(PIN_ROOT.as_ref(), &self.0)?;
        let ports = inspection.ports()?.into_iter();
        let flows = ports.map(|port| {
            let network = port.network.unwrap_or_else(|| port.vni.to_string());
            let name = port.name.unwrap_or_else(|| port.slot.to_string());
            (network, name, port.flows)
        });
        Ok(Counts {
            drops: inspection.drops()?,
            ports: inspection.counters()?,
            flows: flows.collect(),
            programs: inspection.programs()?,
        })
    }
}

#[derive(Debug)]
struct DataplaneCollector<C>(C);

impl<C: Counted> Collector for DataplaneCollector<C> {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = match self.0.counts() {
            Ok(counts) => counts,
            Err(error) => {
                // The agent's own are told all the same.
                error!("the dataplane cannot be read: {error:#}");
                return Ok(());
            }
        };
        drops(&mut encoder, &counts.drops)?;
        ports(&mut encoder, &counts.ports)?;
        let flows = counts.flows.iter().map(|(network, port, flows)| {
            let labels = [("network", network.as_str()), ("port", port.as_str())];
            (labels, *flows)
        });
        gauge_family(&mut encoder, "flows", "Flows in the table", flows)?;
        let programs = || counts.programs.iter();
        let runs = programs().map(|it| ([("program", it.name)], it.runs));
        family(
            &mut encoder,
            "program_runs",
            "Runs while BPF statistics were on",
            runs,
        )?;
        let times = programs().map(|it| ([("program", it.name)], it.run_time_ns));
        let help = "Nanoseconds of those runs, all together";
        family(&mut encoder, "program_run_time_nanoseconds", help, times)
    }
}

fn drops(encoder: &mut DescriptorEncoder<'_>, drops: &[DropCount]) -> fmt::Result {
    let drops = drops.iter().map(|drop| {
        let network = drop.network.as_deref().unwrap_or("");
        let labels = [
            ("network", network),
            ("direction", drop.direction),
            ("reason", drop.reason),
        ];
        (labels, drop.packets)
    });
    family(
        encoder,
        "dropped_packets",
        "Packets that were dropped, by reason",
        drops,
    )
}

fn ports(encoder: &mut DescriptorEncoder<'_>, ports: &[CounterView]) -> fmt::Result {
    type Of = fn(&CounterView) -> u64;
    let packets: [(&str, Of); 2] = [
        ("outbound", |it| it.outbound_packets),
        ("inbound", |it| it.inbound_packets),
    ];
    let bytes: [(&str, Of); 2] = [
        ("outbound", |it| it.outbound_bytes),
        ("inbound", |it| it.inbound_bytes),
    ];
    let values = |directions: [(&'static str, Of); 2]| {
        ports.iter().flat_map(move |port| {
            let network = port.network.as_deref().unwrap_or("");
            let name = port.name.as_deref().unwrap_or("");
            directions.map(|(direction, of)| {
                let labels = [
                    ("network", network),
                    ("port", name),
                    ("direction", direction),
                ];
                (labels, of(port))
            })
        })
    };
    family(
        encoder,
        "port_packets",
        "Packets that passed a port",
        values(packets),
    )?;
    let help = "Bytes of the packets that passed a port, as IPv4";
    family(encoder, "port_bytes", help, values(bytes))
}

/// Counters of one name.
fn family<'a, const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl Iterator<Item = ([(&'a str, &'a str); N], u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in values {
        metric
            .encode_family(&labels)?
            .encode_counter::<[(&str, &str); 0], _, u64>(&value, None)?;
    }
    Ok(())
}

/// Gauges of one name.
fn gauge_family<'a, const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl Iterator<Item = ([(&'a str, &'a str); N], u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// Serves `registry` at `/metrics` on `address`, for as long as the process runs. Returns where.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn serve(address: SocketAddr, registry: Registry) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot serve metrics on {address}; give another address, or metrics: off")
    })?;
    let bound = listener.local_addr()?;
    let pages = Router::new()
        .route("/metrics", get(page))
        .with_state(Arc::new(registry));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, pages).await {
            error!(%error, "metrics are not served any more");
        }
    });
    info!(address = %bound, "metrics are served");
    Ok(bound)
}

async fn page(State(registry): State<Arc<Registry>>) -> Response {
    let encoded = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        encode(&mut text, &registry).map(|()| text)
    });
    match encoded.await {
        Ok(Ok(text)) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(bool);

    impl Counted for Fixed {
        fn counts(&self) -> anyhow::Result<Counts> {
            anyhow::ensure!(self.0, "no maps");
            Ok(Counts {
                drops: vec![DropCount {
                    network: Some("acme/main".to_owned()),
                    network_slot: 1,
                    direction: "inbound",
                    reason: "acl",
                    explanation: "",
                    packets: 7,
                }],
                ports: vec![CounterView {
                    slot: 3,
                    name: Some("web-1".to_owned()),
                    network: Some("acme/main".to_owned()),
                    outbound_packets: 1,
                    outbound_bytes: 2,
                    inbound_packets: 3,
                    inbound_bytes: 4,
                }],
                flows: vec![("acme/main".to_owned(), "web-1".to_owned(), 5)],
                programs: vec![ProgramView {
                    name: "inlay_outbound",
                    runs: 6,
                    run_time_ns: 600,
                }],
            })
        }
    }

    fn text(counted: Fixed) -> String {
        let meters = Meters::default();
        meters.apply.observe(0.004);
        meters.held_revision.set(9);
        let mut text = String::new();
        encode(&mut text, &meters.registry(counted)).unwrap();
        text
    }

    #[test]
    fn every_metric_is_there_with_its_labels() {
        let text = text(Fixed(true));
        for line in [
            r#"inlay_agent_dropped_packets_total{network="acme/main",direction="inbound",reason="acl"} 7"#,
            r#"inlay_agent_port_packets_total{network="acme/main",port="web-1",direction="outbound"} 1"#,
            r#"inlay_agent_port_bytes_total{network="acme/main",port="web-1",direction="inbound"} 4"#,
            r#"inlay_agent_flows{network="acme/main",port="web-1"} 5"#,
            r#"inlay_agent_program_runs_total{program="inlay_outbound"} 6"#,
            r#"inlay_agent_program_run_time_nanoseconds_total{program="inlay_outbound"} 600"#,
            "inlay_agent_apply_seconds_count 1",
            r#"inlay_agent_apply_seconds_bucket{le="0.004"} 1"#,
            "inlay_agent_held_revision 9",
            "inlay_agent_connected 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }

    #[test]
    fn without_maps_the_agents_own_are_told() {
        let text = text(Fixed(false));
        assert!(text.contains("inlay_agent_held_revision 9"), "{text}");
        assert!(!text.contains("inlay_agent_flows"), "{text}");
    }
}
