//! What would become of a packet: runs the loaded program on a made one (`BPF_PROG_TEST_RUN`), and says the
//! verdict, the rule and each step. It changes no flow and no counter.
//!
//! What one host's outbound program makes of a packet is given to the other host's inbound program: so the whole
//! way is told.
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
    Error, INBOUND, OUTBOUND,
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
    /// Handed to the kernel: of a node's packet, it asks for the neighbour's address and forwards it to another
    /// host; of one from the substrate, it is not a tenant's.
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
    /// The sending port; of a packet from the substrate the receiving one, empty where there is none.
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
    /// The packet, as the node sends it, or as it arrives from the substrate.
    pub packet: PacketView,
    /// The packet as it leaves, where it does, or as the node gets it.
    pub result: Option<PacketView>,
}

const ABORTED: u32 = 0;
const DROP: u32 = 1;
const PASS: u32 = 2;

/// Room for what a packet becomes.
const RESULT_BYTES: usize = 2048;
/// Longest frame from the substrate that is asked about, in bytes. One that is made here has about a hundred.
pub const FRAME_BYTES_MAX: usize = 1536;
/// Shortest: an Ethernet header, which the kernel asks for.
const FRAME_BYTES_MIN: usize = 14;

/// Asks the loaded program about a packet of a node. One asks at a time; others wait.
///
/// # Errors
/// Where no dataplane is loaded, there is no such port, or the kernel refuses.
pub fn explain(pin_root: &Path, instance: &str, question: &Question) -> Result<Explanation, Error> {
    explain_outbound(pin_root, instance, question).map(|(explanation, _)| explanation)
}

/// As [`explain`], with the Ethernet frame that the packet becomes; empty where it is dropped.
///
/// # Errors
/// As for [`explain`].
pub fn explain_outbound(
    pin_root: &Path,
    instance: &str,
    question: &Question,
) -> Result<(Explanation, Bytes), Error> {
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
    let ran = ask(&inspection, instance, OUTBOUND, port.interface_index, &sent)?;
    let verdict = ran.outbound_verdict(&sent);
    let name = port_name(&inspection, question.port);
    Ok(ran.answer(&inspection, name, verdict, &sent))
}

/// Asks the loaded program about a frame as it would arrive at an uplink: what [`explain_outbound`] of the
/// sending host gave. Returns the frame that the node gets, too; empty where it is dropped.
///
/// # Errors
/// Where no dataplane is loaded, the frame is none, or the kernel refuses.
pub fn explain_inbound(
    pin_root: &Path,
    instance: &str,
    frame: &[u8],
) -> Result<(Explanation, Bytes), Error> {
    if !(FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&frame.len()) {
        let what = format!(
            "a frame has {FRAME_BYTES_MIN} to {FRAME_BYTES_MAX} bytes, this one {}",
            frame.len()
        );
        return Err(Error::Input { what });
    }
    let inspection = Inspection::open_for(pin_root, instance, Access::ReadWrite)?;
    // Which uplink it is makes no difference.
    let ran = ask(&inspection, instance, INBOUND, 0, frame)?;
    let verdict = ran.inbound_verdict();
    let receiver = ran.trace.receiver();
    let name = receiver.map(|port| port_name(&inspection, port));
    Ok(ran.answer(&inspection, name.unwrap_or_default(), verdict, frame))
}

/// Runs a program on a frame as if it came from an interface, and notes what it does.
fn ask(
    inspection: &Inspection,
    instance: &str,
    program: &'static str,
    interface_index: u32,
    frame: &[u8],
) -> Result<Ran, Error> {
    let lock = lock(instance)?;
    let ran = prepare(inspection, interface_index)
        .and_then(|()| Namespace::of_instance(instance)?.run(|| run(inspection, program, frame)));
    let trace = inspection.maps.trace.all();
    inspection.maps.explain.set(0, 0)?;
    drop(lock);
    let (action, result) = ran?;
    Ok(Ran {
        action,
        result,
        trace: steps::Trace::new(&trace?),
    })
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
fn run(
    inspection: &Inspection,
    program: &'static str,
    packet: &[u8],
) -> Result<(u32, Bytes), Error> {
    let error = |cause| Error::Run {
        program,
        cause: Box::new(cause),
    };
    let path = inspection.set.programs().join(program);
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

/// What a program did.
struct Ran {
    action: u32,
    result: Bytes,
    trace: steps::Trace,
}

impl Ran {
    fn outbound_verdict(&self, sent: &[u8]) -> Verdict {
        let (source, destination) = (sent.get(6..12), self.result.get(..6));
        match self.action {
            ABORTED | DROP => Verdict::Dropped,
            PASS => Verdict::Passed,
            // Answers are redirected to the port that asked.
            _ if source == destination => Verdict::Answered,
            _ if self.trace.receiver().is_some() => Verdict::Delivered,
            _ => Verdict::Sent,
        }
    }

    fn inbound_verdict(&self) -> Verdict {
        match self.action {
            ABORTED | DROP => Verdict::Dropped,
            PASS => Verdict::Passed,
            _ => Verdict::Delivered,
        }
    }

    fn answer(
        self,
        inspection: &Inspection,
        port: String,
        verdict: Verdict,
        sent: &[u8],
    ) -> (Explanation, Bytes) {
        let trace = &self.trace;
        let reason = trace.dropped().and_then(DropReason::from_number);
        let leaves = verdict != Verdict::Dropped;
        let explanation = Explanation {
            port,
            verdict,
            reason: reason.map(DropReason::name),
            explanation: reason.map(|reason| reason.explanation().trim()),
            rule: steps::rule(inspection, trace),
            steps: steps::views(inspection, trace),
            packet: PacketView::of(sent),
            result: leaves.then(|| PacketView::of(&self.result)),
        };
        let frame = if leaves { self.result } else { Bytes::new() };
        (explanation, frame)
    }
}

fn port_name(inspection: &Inspection, port: u32) -> String {
    match inspection.labels.ports.get(&port) {
        Some(label) => format!("{}/{}", label.network, label.name),
        None => port.to_string(),
    }
}
