//! The steps of a decision, for `explain`. Nothing is noted for ordinary packets.

macro_rules! steps {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal,)*) => {
        /// A step and what it found. The number is its place in the trace.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub enum Step { $($(#[doc = $doc])+ $name,)* }

        impl Step {
            /// All of them, in the order of the pipeline.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name for people and in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

steps! {
    /// The slot of the sending port.
    FromPort "from-port",
    /// The slot of the host that a substrate packet came from.
    FromHost "from-host",
    /// The slot of the port that a packet is for.
    ToPort "to-port",
    /// What the flow table had: see [`FlowFound`].
    OutboundFlow "outbound-flow",
    /// The number of the security group rule that allowed it on its way out, or `NONE`.
    OutboundRule "outbound-rule",
    /// The number of the access list's rule on the way out, or `NONE`.
    OutboundAcl "outbound-acl",
    /// The kind of the route's target, and in the upper half the node's address.
    Route "route",
    /// The slot of the destination's host.
    Destination "destination",
    /// As `OutboundFlow`, at the receiving port.
    InboundFlow "inbound-flow",
    /// As `OutboundRule`, at the receiving port.
    InboundRule "inbound-rule",
    /// As `OutboundAcl`, at the receiving port.
    InboundAcl "inbound-acl",
    /// What the substrate's routing said: the device, or [`NextHopFound`].
    NextHop "next-hop",
    /// The reason of the drop.
    Dropped "dropped",
}

/// Places in a trace: room for every step.
pub const TRACE_STEPS: usize = 16;

const _: () = assert!(Step::ALL.len() <= TRACE_STEPS);

/// What the flow table had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum FlowFound {
    /// Nothing: the packet starts a flow.
    New = 0,
    /// A flow that is decided.
    Known = 1,
    /// A flow that was decided under an older policy.
    Stale = 2,
    /// The flow that an ICMP error quotes.
    Related = 3,
}

/// What stands for a device where there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NextHopFound;

impl NextHopFound {
    /// The kernel resolves the neighbour and forwards the packet.
    pub const UNRESOLVED: u64 = 0xffff;
    /// There is no route.
    pub const UNREACHABLE: u64 = 0xfffe;
}
