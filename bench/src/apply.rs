//! How long a large change takes to reach the maps, and what the maps cost.

use std::{
    fmt::Write as _,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use inlay_agent::{interface::Interface, reconcile::reconcile};
use inlay_api::HostState;
use inlay_dataplane::{Dataplane, Options, PIN_ROOT, image::Image, inspect::Inspection};

use crate::{
    report::{Measurement, median},
    world,
};

/// Addresses in the large network.
const MAPPINGS: u32 = 60_000;
const INSTANCE: &str = "inlay-bench-apply";
/// What a host's maps may cost.
const MEMORY_GOAL_MIB: f64 = 64.0;

/// Removes the instance's pins, whatever became of the measurement.
struct Pins(Options);

impl Drop for Pins {
    fn drop(&mut self) {
        if let Err(error) = Dataplane::remove(&self.0) {
            eprintln!("remove the pins of {INSTANCE}: {error}");
        }
    }
}

/// Measures in a namespace of its own.
///
/// # Errors
/// Where this is not root, or the maps cannot be written.
pub(crate) fn run(rounds: u32) -> Result<Vec<Measurement>> {
    eprintln!("apply: {MAPPINGS} mappings, {rounds} rounds");
    let desired = state()?;
    let mut samples = Samples::default();
    for _ in 0..rounds {
        let desired = desired.clone();
        crate::packets::in_thread(move || once(&desired)).map(|sample| samples.add(&sample))?;
    }
    Ok(samples.measurements())
}

#[derive(Default)]
struct Samples {
    reconcile_ms: Vec<f64>,
    write_ms: Vec<f64>,
    single_ms: Vec<f64>,
    memory_mib: f64,
}

/// One round: compiling, writing in batches, writing one by one, and the memory.
struct Sample {
    reconcile: Duration,
    write: Duration,
    single: Duration,
    memory_bytes: u64,
}

fn once(desired: &HostState) -> Result<Sample> {
    world::own_namespace()?;
    let options = Options::new(INSTANCE);
    let pins = Pins(options);
    let mut dataplane = Dataplane::open(&pins.0)?;
    let interfaces = ["port", "uplink"].map(|name| -> Result<_> {
        let index = world::index(name)?;
        Ok((
            name.to_owned(),
            Interface {
                index,
                mtu: 1528,
                is_up: true,
            },
        ))
    });
    let interfaces = interfaces.into_iter().collect::<Result<_>>()?;
    let start = Instant::now();
    let plan = reconcile(desired, &interfaces, &Image::default(), &[])?;
    let reconcile = start.elapsed();
    let start = Instant::now();
    dataplane.apply(&plan.changes)?;
    let write = start.elapsed();
    ensure!(
        plan.changes.mappings.put.len() == MAPPINGS as usize,
        "the change is of another size"
    );
    let single = one_by_one(&plan.image)?;
    let maps = Inspection::open(std::path::Path::new(PIN_ROOT), INSTANCE)?.maps()?;
    let memory_bytes = maps.iter().map(|map| map.memory_bytes).sum();
    Ok(Sample {
        reconcile,
        write,
        single,
        memory_bytes,
    })
}

/// The same mappings into a map of their own, a system call each: what batches are compared with.
fn one_by_one(image: &Image) -> Result<Duration> {
    use aya::maps::{HashMap, MapData};
    use inlay_core::tables::records::{MappingKey, MappingRecord};
    let mut map: HashMap<MapData, MappingKey, MappingRecord> = HashMap::create(MAPPINGS + 1, 0)?;
    let start = Instant::now();
    for (key, record) in &image.mappings {
        map.insert(key, record, 0)?;
    }
    Ok(start.elapsed())
}

impl Samples {
    fn add(&mut self, sample: &Sample) {
        let milliseconds = |took: Duration| took.as_secs_f64() * 1000.0;
        self.reconcile_ms.push(milliseconds(sample.reconcile));
        self.write_ms.push(milliseconds(sample.write));
        self.single_ms.push(milliseconds(sample.single));
        #[expect(clippy::cast_precision_loss, reason = "mebibytes for people")]
        let mebibytes = sample.memory_bytes as f64 / f64::from(1 << 20);
        self.memory_mib = mebibytes;
    }

    fn measurements(self) -> Vec<Measurement> {
        let ratios = self
            .write_ms
            .iter()
            .zip(&self.single_ms)
            .map(|(batch, single)| batch / single);
        let ratio = median(ratios.collect());
        let row = |case: &str, value, unit: &str, baseline: &str, ratio| Measurement {
            bench: "apply".to_owned(),
            case: case.to_owned(),
            subject: "inlay".to_owned(),
            value,
            unit: unit.to_owned(),
            baseline: baseline.to_owned(),
            ratio,
        };
        let single = median(self.single_ms);
        let reconcile = median(self.reconcile_ms);
        vec![
            row(
                "60,000 mappings into the maps",
                median(self.write_ms),
                "ms",
                "one call each",
                ratio,
            ),
            row(
                "60,000 mappings, one call each",
                single,
                "ms",
                "one call each",
                1.0,
            ),
            row(
                "60,000 mappings compiled and compared",
                reconcile,
                "ms",
                "one call each",
                reconcile / single,
            ),
            row(
                "kernel memory of all maps, 262,144 flows, 65,536 mappings",
                self.memory_mib,
                "MiB",
                "goal of 64 MiB",
                self.memory_mib / MEMORY_GOAL_MIB,
            ),
        ]
    }
}

/// One port here, and everybody else on another host.
fn state() -> Result<HostState> {
    let mut yaml = "version: 1
host: { name: host1, prefix: \"2001:db8:0:1::/64\", uplinks: [uplink] }
hosts: [ { name: host2, prefix: \"2001:db8:0:2::/64\" } ]
networks:
  - name: large
    vni: 100
    cidrs: [10.0.0.0/8]
    subnets: [ { name: all, cidr: 10.0.0.0/8 } ]
    security_groups: [ { name: default, inbound: [ { protocol: all, peer: \"group:default\" } ], outbound: [ { protocol: all, peer: 0.0.0.0/0 } ] } ]
    nodes:
"
    .to_owned();
    for number in 0..MAPPINGS {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 1, 0)) + number);
        let [_, a, b, c] = (number + 1).to_be_bytes();
        let place = if number == 0 {
            "host1, interface: port"
        } else {
            "host2"
        };
        writeln!(
            yaml,
            "      - {{ name: n{number}, host: {place}, addresses: [{address}], mac: \"02:00:00:{a:02x}:{b:02x}:{c:02x}\" }}"
        )?;
    }
    inlay_api::read_yaml("large.yaml", yaml.as_bytes()).context("the state of the measurement")
}
