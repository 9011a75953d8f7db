//! What would become of a packet: runs the loaded program on a made one (`BPF_PROG_TEST_RUN`), and says the
//! verdict, the rule and each step. It changes no flow and no counter.
//!
//! The made packet comes from the loopback device, as the kernel has it for such runs. From there the program
//! impersonates the interface that the map `EXPLAIN` names, writes nothing, and notes its steps in `TRACE`.

mod packet;
mod steps;

use std::{fs::File, net::Ipv4Addr, path::Path};

use aya::{TestRun as _, TestRunOptions, programs::Xdp};
use aya_obj::programs::XdpAttachType;
use bytes::Bytes;
use inlay_core::{
    drop_reason::DropReason, flow::FlowKey, ids::VirtualIp, tables::PortRecord,
    wire::l4::SENDER_ASKS,
};
use serde::{Deserialize, Serialize};

pub use packet::PacketView;
pub use steps::StepView;

use crate::{
    Error, OUTBOUND,
    inspect::Inspection,
    namespace::Namespace,
    pins::{create_directory, run_directory},
    sys::Access,
};

/// The protocol of a made packet.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A SYN.
    Tcp,
    /// A datagram.
    Udp,
    /// An echo request.
    Icmp,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Slot of the sending port.
    pub port: u32,
    /// Where the packet goes.
    pub to: Ipv4Addr,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its source port, or an echo's identifier. `None`: one that no flow has.
    pub source_port: Option<u16>,
    /// Its destination port; an echo has none.
    pub destination_port: u16,
}

/// What becomes of the packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Sent to another host.
    Sent,
    /// Handed to the kernel, which asks for the neighbour's address and forwards it to another host.
    Passed,
    /// Delivered to a node of this host.
    Delivered,
    /// Answered by the virtual router.
    Answered,
    /// Dropped.
    Dropped,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The sending port.
    pub port: String,
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// The reason of a drop, or of the virtual router's refusal.
    pub reason: Option<&'static str>,
    /// What the reason means, and what to look at.
    pub explanation: Option<&'static str>,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    /// The steps that were taken, in their order.
    pub steps: Vec<StepView>,
    /// The packet, as the node sends it.
    pub packet: PacketView,
    /// The packet as it leaves, where it does.
    pub result: Option<PacketView>,
}

const ABORTED: u32 = 0;
const DROP: u32 = 1;
const PASS: u32 = 2;

/// Room for what a packet becomes.
const RESULT_BYTES: usize = 2048;

/// Asks the loaded program. One asks at a time; others wait.
///
/// # Errors
/// Where no dataplane is loaded, there is no such port, or the kernel refuses.
pub fn explain(pin_root: &Path, instance: &str, question: &Question) -> Result<Explanation, Error> {
    let inspection = Inspection::open_for(pin_root, instance, Access::ReadWrite)?;
    let port = inspection.maps.ports.get(question.port)?;
    if port.interface_index == 0 {
        let what = format!(
            "there is no port {}: `inlay ports` shows them",
            question.port
        );
        return Err(Error::Input { what });
    }
    let source_port = match question.source_port {
        Some(source_port) => source_port,
        None => unused_port(&inspection, &port, question)?,
    };
    let sent = packet::make(&port, question, source_port);
    let lock = lock(instance)?;
    let ran = prepare(&inspection, port.interface_index)
        .and_then(|()| Namespace::of_instance(instance)?.run(|| run(&inspection, &sent)));
    let trace = inspection.maps.trace.all();
    inspection.maps.explain.set(0, 0)?;
    drop(lock);
    let (action, result) = ran?;
    let trace = steps::Trace::new(&trace?);
    let frames = Frames {
        action,
        sent: PacketView::of(&sent),
        result: PacketView::of(&result),
    };
    Ok(answer(&inspection, question.port, &trace, frames))
}

/// A source port that no flow of these addresses has, so that the rules are asked.
fn unused_port(
    inspection: &Inspection,
    port: &PortRecord,
    question: &Question,
) -> Result<u16, Error> {
    const FIRST: u16 = 49_152;
    let is_forwarding = port.flags & PortRecord::FORWARDING != 0;
    let via = if is_forwarding { question.port + 1 } else { 0 };
    for candidate in FIRST..=u16::MAX {
        let ports = match question.protocol {
            Protocol::Icmp => u32::from(candidate.to_be()) | u32::from(SENDER_ASKS) << 16,
            Protocol::Tcp | Protocol::Udp => {
                u32::from(candidate.to_be()) | u32::from(question.destination_port.to_be()) << 16
            }
        };
        let remote = VirtualIp::from_octets(question.to.octets());
        let protocol = packet::protocol_number(question.protocol);
        let key = FlowKey::new(port.tag, protocol, port.virtual_ip, remote, ports, via);
        if inspection.maps.flows.get(&key)?.is_none() {
            return Ok(candidate);
        }
    }
    Ok(FIRST)
}

/// Held while the maps of `explain` are in use.
fn lock(instance: &str) -> Result<File, Error> {
    create_directory(&run_directory(instance))?;
    let path = run_directory(instance).join("explain.lock");
    let file = File::create(&path).map_err(Error::file("make", &path))?;
    file.lock().map_err(Error::file("lock", path))?;
    Ok(file)
}

fn prepare(inspection: &Inspection, interface_index: u32) -> Result<(), Error> {
    let trace = &inspection.maps.trace;
    let blank: Vec<_> = (0..trace.entries_max())
        .map(|step| (step, [0, 0]))
        .collect();
    trace.set_all(&blank)?;
    inspection.maps.explain.set(0, interface_index)
}

/// Runs the program in the instance's namespace, whose routing it asks.
fn run(inspection: &Inspection, packet: &[u8]) -> Result<(u32, Bytes), Error> {
    let error = |cause| Error::Run {
        program: OUTBOUND,
        cause: Box::new(cause),
    };
    let path = inspection.set.programs().join(OUTBOUND);
    let program = Xdp::from_pin(path, XdpAttachType::Interface).map_err(error)?;
    let mut result = vec![0; RESULT_BYTES];
    let options = TestRunOptions {
        data_in: Some(packet),
        data_out: Some(&mut result),
        ..TestRunOptions::default()
    };
    let ran = program.test_run(options).map_err(error)?;
    result.truncate(ran.data_size_out as usize);
    Ok((ran.return_value, result.into()))
}

/// What went in and what came out.
struct Frames {
    action: u32,
    sent: PacketView,
    result: PacketView,
}

impl Frames {
    fn verdict(&self, trace: &steps::Trace) -> Verdict {
        match self.action {
            ABORTED | DROP => Verdict::Dropped,
            PASS => Verdict::Passed,
            // Answers are redirected to the port that asked.
            _ if self.result.destination_mac == self.sent.source_mac => Verdict::Answered,
            _ if trace.is_local() => Verdict::Delivered,
            _ => Verdict::Sent,
        }
    }
}

fn answer(inspection: &Inspection, port: u32, trace: &steps::Trace, frames: Frames) -> Explanation {
    let verdict = frames.verdict(trace);
    let reason = trace.dropped().and_then(DropReason::from_number);
    let label = inspection.labels.ports.get(&port);
    let name = label.map(|label| format!("{}/{}", label.network, label.name));
    Explanation {
        port: name.unwrap_or_else(|| port.to_string()),
        verdict,
        reason: reason.map(DropReason::name),
        explanation: reason.map(|reason| reason.explanation().trim()),
        rule: steps::rule(inspection, trace),
        steps: steps::views(inspection, trace),
        packet: frames.sent,
        result: (verdict != Verdict::Dropped).then_some(frames.result),
    }
}
