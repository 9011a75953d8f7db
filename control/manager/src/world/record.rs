//! A node as the world keeps it: packed, because there may be a million of them.

use inlay_api::wire::{
    Digest,
    agent::{Backend, Node},
};
use prost::{Message as _, bytes::Buf, encoding::decode_varint};
use uuid::Uuid;

/// All of a node that is needed to write its two resources: the node itself, for every host of its network, and its
/// attachment, of which what the network and the subnet say is left out.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct NodeRecord {
    /// The encoded `Node`; empty where no host has it. The first field, so that it is found without the others.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) value: Vec<u8>,
    /// Its `uid`: 16 bytes where it is a UUID, text where not.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) uuid: Vec<u8>,
    #[prost(string, tag = "11")]
    pub(super) uid: String,
    #[prost(enumeration = "Backend", tag = "3")]
    pub(super) backend: i32,
    #[prost(string, tag = "4")]
    pub(super) interface: String,
    #[prost(string, tag = "5")]
    pub(super) subnet: String,
    #[prost(string, tag = "6")]
    pub(super) next_host: String,
    #[prost(string, tag = "7")]
    pub(super) former_host: String,
    #[prost(uint32, tag = "8")]
    pub(super) flows_max: u32,
    #[prost(uint32, tag = "9")]
    pub(super) new_flows_per_s: u32,
    /// Digest of its attachment; none where it cannot be attached yet.
    #[prost(fixed64, optional, tag = "10")]
    pub(super) attachment: Option<u64>,
}

impl NodeRecord {
    pub(super) fn pack(&self) -> Box<[u8]> {
        self.encode_to_vec().into_boxed_slice()
    }

    /// What `pack` made. Bytes that it did not make are an empty record.
    pub(super) fn unpack(packed: &[u8]) -> Self {
        Self::decode(packed).unwrap_or_default()
    }

    /// The encoded `Node` of a packed record.
    pub(super) fn packed_value(packed: &[u8]) -> Option<&[u8]> {
        const VALUE: u8 = 1 << 3 | 2;
        let mut rest = packed;
        if !rest.has_remaining() || rest.get_u8() != VALUE {
            return None;
        }
        let len = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        rest.get(..len)
    }

    pub(super) fn set_uid(&mut self, uid: String) {
        match Uuid::try_parse(&uid) {
            Ok(uuid) if uuid.to_string() == uid => self.uuid = uuid.as_bytes().to_vec(),
            _ => self.uid = uid,
        }
    }

    pub(super) fn uid(&self) -> String {
        let uuid = Uuid::from_slice(&self.uuid);
        uuid.map_or_else(|_| self.uid.clone(), |uuid| uuid.to_string())
    }

    pub(super) fn node(&self) -> Node {
        Node::decode(&*self.value).unwrap_or_default()
    }

    pub(super) fn attachment_digest(&self) -> Option<Digest> {
        self.attachment.map(Digest)
    }

    /// Whether it is on its way, or its old host may still be spoken to.
    pub(super) fn moves(&self) -> bool {
        !self.next_host.is_empty() || !self.former_host.is_empty()
    }

    /// The hosts that must know it, each once: those that have it, prepare it or give it up.
    pub(super) fn hosts(&self) -> Vec<String> {
        let mut hosts = vec![self.node().host];
        hosts.push(self.next_host.clone());
        hosts.push(self.former_host.clone());
        hosts.retain(|host| !host.is_empty());
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_comes_back_as_it_was() {
        for uid in [
            "",
            "u",
            "0198c0de-0000-7000-8000-00000000abcd",
            "0198C0DE-0000-7000-8000-00000000ABCD",
        ] {
            let mut record = NodeRecord::default();
            record.set_uid(uid.into());
            assert_eq!(NodeRecord::unpack(&record.pack()).uid(), uid);
        }
    }

    #[test]
    fn the_value_is_found_in_the_packed_record() {
        let mut record = NodeRecord {
            value: vec![7; 300],
            ..NodeRecord::default()
        };
        let packed = record.pack();
        assert_eq!(NodeRecord::packed_value(&packed), Some(&[7; 300][..]));
        assert_eq!(NodeRecord::unpack(&packed), record);
        record.value.clear();
        assert_eq!(NodeRecord::packed_value(&record.pack()), None);
    }
}
