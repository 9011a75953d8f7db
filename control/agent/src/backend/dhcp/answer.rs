//! What a server says to a client's message (RFC 2131, section 4.3). Pure: a lease and a message in, a message
//! out.

use std::net::Ipv4Addr;

use dhcproto::{
    Encodable as _,
    v4::{DhcpOption, DhcpOptions, HType, Message, MessageType, Opcode, OptionCode},
};

use super::lease::Lease;

/// How long a client may use its address without asking again, in seconds: a day. It asks after half of it.
const LEASE_S: u32 = 86_400;
/// Bytes of a message that every client takes (RFC 2131, section 2), less IPv4's and UDP's headers.
const MESSAGE_BYTES_MIN: u16 = 576 - 28;

/// A message to a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) message: Message,
    /// Where it goes; 255.255.255.255 is to everybody on the link.
    pub(super) to: Ipv4Addr,
    pub(super) kind: MessageType,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Silence {
    /// It is not what a client sends.
    Malformed,
    /// It is of another client, for another server, or came by a relay.
    NotForUs,
    /// It wants none: a release.
    Noted,
    /// Somebody else has the address, says the client (RFC 2131, section 4.3.3).
    Declined,
}

/// The answer to `request`.
pub(super) fn answer(lease: &Lease, request: &Message) -> Result<Answer, Silence> {
    // The length first: `chaddr` cuts by it.
    if request.opcode() != Opcode::BootRequest
        || request.htype() != HType::Eth
        || request.hlen() != 6
    {
        return Err(Silence::Malformed);
    }
    let is_own = request.chaddr() == lease.mac.octets();
    let is_for_us = server(request).is_none_or(|server| server == lease.gateway);
    if !is_own || !is_for_us || !request.giaddr().is_unspecified() {
        return Err(Silence::NotForUs);
    }
    match request.opts().msg_type().ok_or(Silence::Malformed)? {
        MessageType::Discover => Ok(grant(lease, request, MessageType::Offer)),
        MessageType::Request => Ok(requested(lease, request)?),
        MessageType::Inform if request.ciaddr() == lease.address => Ok(inform(lease, request)),
        MessageType::Inform => Err(Silence::NotForUs),
        MessageType::Release => Err(Silence::Noted),
        MessageType::Decline => Err(Silence::Declined),
        _ => Err(Silence::Malformed),
    }
}

fn server(request: &Message) -> Option<Ipv4Addr> {
    match request.opts().get(OptionCode::ServerIdentifier) {
        Some(DhcpOption::ServerIdentifier(server)) => Some(*server),
        _ => None,
    }
}

/// The address that is asked for is in an option while the client has none, and in `ciaddr` once it has (RFC
/// 2131, section 4.3.2).
fn requested(lease: &Lease, request: &Message) -> Result<Answer, Silence> {
    let asked = match request.opts().get(OptionCode::RequestedIpAddress) {
        Some(DhcpOption::RequestedIpAddress(address)) => *address,
        _ => request.ciaddr(),
    };
    if asked.is_unspecified() {
        return Err(Silence::Malformed);
    }
    Ok(if asked == lease.address {
        grant(lease, request, MessageType::Ack)
    } else {
        refuse(lease, request)
    })
}

/// What every answer begins with.
fn reply(lease: &Lease, request: &Message, kind: MessageType) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let mac = lease.mac.octets();
    let mut message = Message::new_with_id(request.xid(), none, none, none, none, &mac);
    message
        .set_opcode(Opcode::BootReply)
        .set_flags(request.flags());
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ServerIdentifier(lease.gateway));
    // RFC 6842: what names the client comes back.
    if let Some(identifier) = request.opts().get(OptionCode::ClientIdentifier) {
        options.insert(identifier.clone());
    }
    message
}

fn grant(lease: &Lease, request: &Message, kind: MessageType) -> Answer {
    let mut message = reply(lease, request, kind);
    message
        .set_yiaddr(lease.address)
        .set_ciaddr(request.ciaddr());
    let options = message.opts_mut();
    options.insert(DhcpOption::AddressLeaseTime(LEASE_S));
    options.insert(DhcpOption::Renewal(LEASE_S / 2));
    options.insert(DhcpOption::Rebinding(LEASE_S / 8 * 7));
    configure(lease, request, &mut message);
    let to = if request.ciaddr().is_unspecified() {
        if request.flags().broadcast() {
            Ipv4Addr::BROADCAST
        } else {
            lease.address
        }
    } else {
        request.ciaddr()
    };
    Answer { message, to, kind }
}

/// A client that has its address from elsewhere asks for the rest: no lease, and no address.
fn inform(lease: &Lease, request: &Message) -> Answer {
    let kind = MessageType::Ack;
    let mut message = reply(lease, request, kind);
    message.set_ciaddr(request.ciaddr());
    configure(lease, request, &mut message);
    let to = request.ciaddr();
    Answer { message, to, kind }
}

/// To everybody: the client has an address that it may not have.
fn refuse(lease: &Lease, request: &Message) -> Answer {
    let kind = MessageType::Nak;
    let mut message = reply(lease, request, kind);
    let text = format!("this port's address is {}", lease.address);
    message.opts_mut().insert(DhcpOption::Message(text));
    let to = Ipv4Addr::BROADCAST;
    Answer { message, to, kind }
}

/// What a node needs besides its address, whether it asks for it or not.
fn configure(lease: &Lease, request: &Message, message: &mut Message) {
    let options = message.opts_mut();
    options.insert(DhcpOption::SubnetMask(lease.mask));
    options.insert(DhcpOption::Router(vec![lease.gateway]));
    options.insert(DhcpOption::InterfaceMtu(lease.mtu));
    if !lease.dns_servers.is_empty() {
        options.insert(DhcpOption::DomainNameServer(lease.dns_servers.clone()));
    }
    if lease.dns_domain.is_empty() {
        return;
    }
    options.insert(DhcpOption::DomainName(lease.dns_domain.clone()));
    // The longest of what a node can do without.
    let len = message.to_vec().map_or(usize::MAX, |bytes| bytes.len());
    if len > usize::from(bytes_max(request.opts())) {
        message.opts_mut().remove(OptionCode::DomainName);
    }
}

/// The largest message that the client takes.
fn bytes_max(options: &DhcpOptions) -> u16 {
    match options.get(OptionCode::MaxMessageSize) {
        Some(DhcpOption::MaxMessageSize(bytes)) => {
            bytes.saturating_sub(28).clamp(MESSAGE_BYTES_MIN, 1472)
        }
        _ => MESSAGE_BYTES_MIN,
    }
}

#[cfg(test)]
mod tests {
    use inlay_core::ids::MacAddress;

    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 1, 0, 0x0a];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
    const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 99);

    fn lease() -> Lease {
        Lease {
            mac: MacAddress::from_octets(MAC),
            address: ADDRESS,
            mask: Ipv4Addr::new(255, 255, 255, 0),
            gateway: GATEWAY,
            mtu: 1400,
            dns_servers: vec![Ipv4Addr::new(10, 0, 1, 2)],
            dns_domain: "web.internal".into(),
        }
    }

    fn request(kind: MessageType, has: Ipv4Addr, options: Vec<DhcpOption>) -> Message {
        let mut message = Message::new_with_id(7, has, NONE, NONE, NONE, &MAC);
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        for option in options {
            message.opts_mut().insert(option);
        }
        message
    }

    fn asked(
        kind: MessageType,
        has: Ipv4Addr,
        options: Vec<DhcpOption>,
    ) -> Result<Answer, Silence> {
        answer(&lease(), &request(kind, has, options))
    }

    fn option(answer: &Answer, code: OptionCode) -> DhcpOption {
        answer.message.opts().get(code).unwrap().clone()
    }

    #[test]
    fn a_discover_is_offered_the_ports_address_and_everything_else() {
        let name = DhcpOption::ClientIdentifier(vec![1, 2, 3]);
        let offer = asked(MessageType::Discover, NONE, vec![name.clone()]).unwrap();
        assert_eq!((offer.kind, offer.to), (MessageType::Offer, ADDRESS));
        let message = &offer.message;
        assert_eq!((message.yiaddr(), message.xid()), (ADDRESS, 7));
        assert_eq!(
            (message.opcode(), message.chaddr()),
            (Opcode::BootReply, &MAC[..])
        );
        for expected in [
            DhcpOption::ServerIdentifier(GATEWAY),
            DhcpOption::AddressLeaseTime(86_400),
            DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)),
            DhcpOption::Router(vec![GATEWAY]),
            DhcpOption::InterfaceMtu(1400),
            DhcpOption::DomainNameServer(vec![Ipv4Addr::new(10, 0, 1, 2)]),
            DhcpOption::DomainName("web.internal".into()),
            name,
        ] {
            assert_eq!(option(&offer, OptionCode::from(&expected)), expected);
        }
    }

    #[test]
    fn a_client_that_cannot_take_unicast_is_told_by_broadcast() {
        let mut discover = request(MessageType::Discover, NONE, vec![]);
        discover.set_flags(discover.flags().set_broadcast());
        let offer = answer(&lease(), &discover).unwrap();
        assert_eq!(offer.to, Ipv4Addr::BROADCAST);
        assert!(offer.message.flags().broadcast());
    }

    #[test]
    fn the_ports_address_is_acknowledged_in_every_state_and_another_refused() {
        let server = DhcpOption::ServerIdentifier(GATEWAY);
        let want = DhcpOption::RequestedIpAddress;
        // Selecting, rebooting, renewing.
        for (has, right, wrong) in [
            (
                NONE,
                vec![want(ADDRESS), server.clone()],
                vec![want(OTHER), server],
            ),
            (NONE, vec![want(ADDRESS)], vec![want(OTHER)]),
        ] {
            let ack = asked(MessageType::Request, has, right).unwrap();
            assert_eq!(
                (ack.kind, ack.message.yiaddr()),
                (MessageType::Ack, ADDRESS)
            );
            let nak = asked(MessageType::Request, has, wrong).unwrap();
            assert_eq!((nak.kind, nak.to), (MessageType::Nak, Ipv4Addr::BROADCAST));
            assert_eq!(nak.message.yiaddr(), NONE);
            assert!(nak.message.opts().get(OptionCode::Router).is_none());
        }
        let renewed = asked(MessageType::Request, ADDRESS, vec![]).unwrap();
        assert_eq!((renewed.kind, renewed.to), (MessageType::Ack, ADDRESS));
        let refused = asked(MessageType::Request, OTHER, vec![]).unwrap();
        assert_eq!(refused.kind, MessageType::Nak);
    }

    #[test]
    fn an_inform_is_answered_without_a_lease() {
        let ack = asked(MessageType::Inform, ADDRESS, vec![]).unwrap();
        assert_eq!((ack.kind, ack.message.yiaddr()), (MessageType::Ack, NONE));
        assert!(
            ack.message
                .opts()
                .get(OptionCode::AddressLeaseTime)
                .is_none()
        );
        assert_eq!(
            option(&ack, OptionCode::InterfaceMtu),
            DhcpOption::InterfaceMtu(1400)
        );
        let of_other = asked(MessageType::Inform, OTHER, vec![]);
        assert_eq!(of_other, Err(Silence::NotForUs));
    }

    #[test]
    fn what_is_of_others_is_not_answered() {
        let elsewhere = DhcpOption::ServerIdentifier(OTHER);
        let silence = asked(MessageType::Request, NONE, vec![elsewhere]);
        assert_eq!(silence, Err(Silence::NotForUs));
        let mut other = request(MessageType::Discover, NONE, vec![]);
        other.set_chaddr(&[2, 0, 0, 1, 0, 0x0b]);
        assert_eq!(answer(&lease(), &other), Err(Silence::NotForUs));
        let mut relayed = request(MessageType::Discover, NONE, vec![]);
        relayed.set_giaddr(OTHER);
        assert_eq!(answer(&lease(), &relayed), Err(Silence::NotForUs));
        assert_eq!(
            asked(MessageType::Release, ADDRESS, vec![]),
            Err(Silence::Noted)
        );
        assert_eq!(
            asked(MessageType::Decline, NONE, vec![]),
            Err(Silence::Declined)
        );
    }

    #[test]
    fn what_no_client_sends_is_malformed() {
        let mut reply = request(MessageType::Discover, NONE, vec![]);
        reply.set_opcode(Opcode::BootReply);
        assert_eq!(answer(&lease(), &reply), Err(Silence::Malformed));
        let mut long = request(MessageType::Discover, NONE, vec![]);
        long.set_chaddr(&[2; 16]);
        assert_eq!(answer(&lease(), &long), Err(Silence::Malformed));
        assert_eq!(
            asked(MessageType::Offer, NONE, vec![]),
            Err(Silence::Malformed)
        );
        assert_eq!(
            asked(MessageType::Request, NONE, vec![]),
            Err(Silence::Malformed)
        );
        let mut bare = request(MessageType::Discover, NONE, vec![]);
        bare.opts_mut().remove(OptionCode::MessageType);
        assert_eq!(answer(&lease(), &bare), Err(Silence::Malformed));
    }

    #[test]
    fn an_answer_is_no_longer_than_the_client_takes() {
        let lease = Lease {
            dns_servers: vec![OTHER; 16],
            dns_domain: "a".repeat(253),
            ..lease()
        };
        let short = answer(&lease, &request(MessageType::Discover, NONE, vec![])).unwrap();
        assert!(short.message.to_vec().unwrap().len() <= 548);
        assert!(short.message.opts().get(OptionCode::DomainName).is_none());
        let roomy = vec![DhcpOption::MaxMessageSize(1500)];
        let long = answer(&lease, &request(MessageType::Discover, NONE, roomy)).unwrap();
        assert!(long.message.opts().get(OptionCode::DomainName).is_some());
    }
}
