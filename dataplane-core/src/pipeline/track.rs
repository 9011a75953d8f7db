//! The flow table: what an earlier packet of the flow was allowed, and for the first one, or after a
//! change, the rules.

use crate::{
    drop_reason::DropReason,
    flow::{Flow, FlowKey, FlowRecord, FlowState},
    ids::{HostPrefix, Tick},
    pipeline::{
        Subject, Work, locate, related, rings,
        trace::{FlowFound, Step},
    },
    policy::{Question, service_point},
    tables::{
        Direction, MappingKey, MappingRecord, PortRecord, SubnetRecord, Tables, records::NONE,
    },
    wire::l4::{Icmp, TcpFlags, Transport},
};

/// A packet that asks to pass a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// The port.
    pub slot: u32,
    /// Which way.
    pub direction: Direction,
    /// Its flow.
    pub key: FlowKey,
    /// What moves the flow's state.
    pub transport: Transport,
    /// The flow that an ICMP error quotes; of no meaning for others.
    pub quoted: FlowKey,
    /// The host that it came from, on its way in.
    pub from: HostPrefix,
}

impl Request {
    /// A packet of `key` at the port of `slot`, its transport yet to be filled in.
    #[inline(always)]
    #[must_use]
    pub fn new(slot: u32, direction: Direction, key: FlowKey, from: HostPrefix) -> Self {
        Self {
            slot,
            direction,
            key,
            transport: Transport::default(),
            quoted: key,
            from,
        }
    }
}

/// Lets the packet of `work.request` pass, with what is known of its flow in `work.record`, or says
/// why not.
///
/// # Errors
/// The reason to drop it. `work.subject` then says which rule decided.
#[inline(always)]
pub fn track<T: Tables>(tables: &T, work: &mut Work) -> Result<(), DropReason> {
    let Work {
        request,
        record,
        subject,
        ..
    } = work;
    let port = tables.port(request.slot).ok_or(DropReason::UnknownPort)?;
    let network = tables
        .network(port.network)
        .ok_or(DropReason::UnknownPort)?;
    // Before any table is read: a change that comes after makes what follows stale.
    let epoch = network.epoch;
    let now = tables.now();
    subject.port = request.slot;
    subject.network = port.network;
    subject.epoch = epoch;
    subject.key = request.key;
    if request.transport.icmp == Icmp::Error {
        return pass_error(tables, request, port, record, subject);
    }
    let found = find(tables, request, epoch, now, record);
    tables.trace(
        step(request, Step::OutboundFlow, Step::InboundFlow),
        found as u64,
    );
    if found == FlowFound::New {
        *record = start(request, now)?;
    }
    if found != FlowFound::Known {
        let remote = remote(tables, port, request);
        decide(tables, request, port, remote, record, subject)?;
        record.epoch = epoch;
        record.allowed = 0;
    }
    let is_decided = record.allows(request.direction) && is_from(request, record);
    if !is_decided {
        pass(tables, request, port, record, subject)?;
    }
    let from_origin = record.origin() == request.direction;
    let state = record
        .state()
        .next(request.key.protocol(), from_origin, request.transport.flags);
    if found == FlowFound::Known && is_decided {
        update(tables, request, record, state, now);
        return Ok(());
    }
    record.state = state as u8;
    record.last_seen = now.0;
    record.check = request.key.check();
    if found == FlowFound::New {
        admit(tables, request, port, record, now)?;
        if !tables.put_flow(&request.key, record) {
            return Err(DropReason::FlowTableFull);
        }
    } else if !tables.replace_flow(&request.key, record) {
        // Pushed out since it was found. The packet was decided; its next one starts anew.
        return Ok(());
    }
    rings::keep(tables, record.ring, &request.key);
    Ok(())
}

#[inline(always)]
fn step(request: &Request, outbound: Step, inbound: Step) -> Step {
    match request.direction {
        Direction::Outbound => outbound,
        Direction::Inbound => inbound,
    }
}

/// Reads the flow. One of another port, over, or opened anew by a SYN counts as none.
#[inline(always)]
fn find<T: Tables>(
    tables: &T,
    request: &Request,
    epoch: u32,
    now: Tick,
    record: &mut FlowRecord,
) -> FlowFound {
    let Some(flow) = tables.flow(&request.key) else {
        return FlowFound::New;
    };
    *record = flow.record();
    let is_reopened =
        record.state() == FlowState::Closed && request.transport.flags.has(TcpFlags::SYN);
    let is_other = record.port != request.slot || record.check != request.key.check();
    if is_other || record.is_expired(now) || is_reopened {
        return FlowFound::New;
    }
    if record.epoch == epoch {
        FlowFound::Known
    } else {
        FlowFound::Stale
    }
}

/// A new flow, where the packet is one that can start it.
#[inline(always)]
fn start(request: &Request, now: Tick) -> Result<FlowRecord, DropReason> {
    let flags = request.transport.flags;
    if request.transport.icmp == Icmp::EchoReply
        || flags.has(TcpFlags::SYN) && flags.has(TcpFlags::ACK)
    {
        return Err(DropReason::Unsolicited);
    }
    let state = FlowState::first(request.key.protocol(), flags).ok_or(DropReason::BadTcpFlags)?;
    Ok(FlowRecord::start(
        request.slot,
        request.direction,
        state,
        now,
    ))
}

#[inline(always)]
fn remote<T: Tables>(tables: &T, port: &PortRecord, request: &Request) -> Option<MappingRecord> {
    tables.mapping(&MappingKey {
        tag: port.tag,
        virtual_ip: request.key.remote,
    })
}

/// Asks the security groups, about the packet that started the flow.
#[inline(always)]
fn decide<T: Tables>(
    tables: &T,
    request: &Request,
    port: &PortRecord,
    remote: Option<MappingRecord>,
    record: &mut FlowRecord,
    subject: &mut Subject,
) -> Result<(), DropReason> {
    let origin = record.origin();
    let question = Question {
        remote: request.key.remote,
        groups: remote.map_or(0, |mapping| mapping.groups),
        service: service_point(origin, request.key.protocol(), request.key.service(origin)),
    };
    let decided = tables.evaluate(port.policy, &question);
    subject.rule = decided.map_or(NONE, |decided| decided.rule);
    tables.trace(
        step(request, Step::OutboundRule, Step::InboundRule),
        u64::from(subject.rule),
    );
    if decided.is_none_or(|decided| !decided.allow) {
        tables.remove_flow(&request.key);
        return Err(DropReason::SecurityGroup);
    }
    record.rule = subject.rule;
    Ok(())
}

/// Whether the packet came from the host that the flow's earlier ones came from.
#[inline(always)]
fn is_from(request: &Request, record: &FlowRecord) -> bool {
    request.direction == Direction::Outbound || record.inbound_prefix == request.from
}

/// Asks what depends on the direction: the access list, and where it goes.
#[inline(always)]
fn pass<T: Tables>(
    tables: &T,
    request: &Request,
    port: &PortRecord,
    record: &mut FlowRecord,
    subject: &mut Subject,
) -> Result<(), DropReason> {
    let subnet = tables.subnet(port.subnet).ok_or(DropReason::UnknownPort)?;
    if !subnet.contains(request.key.remote) {
        ask_acl(tables, request, subnet, subject)?;
    }
    match request.direction {
        Direction::Outbound => {
            let place = locate::destination(tables, subnet, request.key.remote)?;
            locate::note(tables, &place, record)?;
        }
        Direction::Inbound => record.inbound_prefix = request.from,
    }
    record.allowed |= 1 << request.direction as u8;
    Ok(())
}

/// The subnet's access list knows no flows: it is asked about each direction's own packets.
#[inline(always)]
fn ask_acl<T: Tables>(
    tables: &T,
    request: &Request,
    subnet: &SubnetRecord,
    subject: &mut Subject,
) -> Result<(), DropReason> {
    if subnet.acl == NONE {
        return Ok(());
    }
    let service = match request.transport.icmp {
        Icmp::EchoReply => 0,
        _ => request.key.service(request.direction),
    };
    let question = Question {
        remote: request.key.remote,
        groups: 0,
        service: service_point(request.direction, request.key.protocol(), service),
    };
    let decided = tables.evaluate(subnet.acl, &question);
    let rule = decided.map_or(NONE, |decided| decided.rule);
    tables.trace(
        step(request, Step::OutboundAcl, Step::InboundAcl),
        u64::from(rule),
    );
    if decided.is_some_and(|decided| decided.allow) {
        return Ok(());
    }
    subject.rule = rule;
    Err(DropReason::Acl)
}

/// An ICMP error passes with the flow that it quotes, and starts none.
#[inline(always)]
fn pass_error<T: Tables>(
    tables: &T,
    request: &Request,
    port: &PortRecord,
    record: &mut FlowRecord,
    subject: &mut Subject,
) -> Result<(), DropReason> {
    related::check(tables, request, subject.epoch)?;
    let found = FlowFound::Related as u64;
    tables.trace(step(request, Step::OutboundFlow, Step::InboundFlow), found);
    *record = FlowRecord::start(
        request.slot,
        request.direction,
        FlowState::OneWay,
        tables.now(),
    );
    pass(tables, request, port, record, subject)
}

/// A known flow: only what changed is written. Where it is gone since it was found, its next packet decides.
#[inline(always)]
fn update<T: Tables>(
    tables: &T,
    request: &Request,
    record: &mut FlowRecord,
    state: FlowState,
    now: Tick,
) {
    let is_aged = now.since(Tick(record.last_seen)) > Flow::REFRESH_TICKS;
    if !tables.may_write() || (state as u8 == record.state && !is_aged) {
        return;
    }
    let Some(flow) = tables
        .flow(&request.key)
        .filter(|flow| flow.is_of(&request.key))
    else {
        return;
    };
    if state as u8 != record.state {
        flow.set_state(state);
        flow.set_last_seen(now);
        record.state = state as u8;
    } else if now.since(Tick(record.last_seen)) > Flow::REFRESH_TICKS {
        flow.set_last_seen(now);
    }
}

/// Counts a new flow against its port's rate, and gives it a place.
#[inline(always)]
fn admit<T: Tables>(
    tables: &T,
    request: &Request,
    port: &PortRecord,
    record: &mut FlowRecord,
    now: Tick,
) -> Result<(), DropReason> {
    let state = tables
        .port_state(request.slot)
        .ok_or(DropReason::UnknownPort)?;
    if !rings::may_start(tables, state, request.direction, port.new_flows_per_s, now) {
        return Err(DropReason::NewFlowRate);
    }
    record.ring = rings::take(tables, request.slot, port, &request.key, now)?;
    Ok(())
}
