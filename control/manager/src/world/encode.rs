//! `Change` messages, encoded one after the other into buffers that many updates share. Written here and not by
//! prost, so that a resource is copied once and its key is not made a string for it.

use bytes::{BufMut, Bytes, BytesMut};
use inlay_api::wire::agent::Kind;
use prost::encoding::{WireType, decode_varint, encode_key, encode_varint, encoded_len_varint};

/// Bytes of a chunk; one change that is longer is a chunk of its own.
pub(super) const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Length-delimited changes of one scope after another, cut into chunks.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    full: Vec<Bytes>,
    last: BytesMut,
}

impl Chunks {
    /// Adds a resource, or, without a value, that it is gone.
    pub(super) fn push(&mut self, vni: u32, kind: Kind, key: &str, value: Option<&[u8]>) {
        let len = change_len(vni, kind, key, value);
        let whole = len + encoded_len_varint(len as u64);
        if !self.last.is_empty() && self.last.len() + whole > CHUNK_BYTES_MAX {
            self.full.push(self.last.split().freeze());
        }
        encode_varint(len as u64, &mut self.last);
        encode_change(&mut self.last, vni, kind, key, value);
    }

    pub(super) fn finish(mut self) -> Vec<Bytes> {
        if !self.last.is_empty() {
            self.full.push(self.last.freeze());
        }
        self.full
    }
}

fn change_len(vni: u32, kind: Kind, key: &str, value: Option<&[u8]>) -> usize {
    let number = |number: u64| match number {
        0 => 0,
        _ => 1 + encoded_len_varint(number),
    };
    let delimited = |len: usize| 1 + encoded_len_varint(len as u64) + len;
    let key_len = if key.is_empty() {
        0
    } else {
        delimited(key.len())
    };
    let value_len = value.map_or(0, |value| delimited(value.len()));
    number(vni.into()) + number(kind as u64) + key_len + value_len
}

fn encode_change(to: &mut BytesMut, vni: u32, kind: Kind, key: &str, value: Option<&[u8]>) {
    for (tag, number) in [(1, u64::from(vni)), (2, kind as u64)] {
        if number != 0 {
            encode_key(tag, WireType::Varint, to);
            encode_varint(number, to);
        }
    }
    let key = Some(key.as_bytes()).filter(|key| !key.is_empty());
    for (tag, bytes) in [(3, key), (4, value)] {
        if let Some(bytes) = bytes {
            encode_key(tag, WireType::LengthDelimited, to);
            encode_varint(bytes.len() as u64, to);
            to.put_slice(bytes);
        }
    }
}

/// The changes of a chunk, each a part of the same buffer.
#[must_use]
pub fn split_chunk(mut chunk: Bytes) -> Vec<Bytes> {
    let mut changes = Vec::new();
    while let Ok(len) = decode_varint(&mut chunk) {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        changes.push(chunk.split_to(len.min(chunk.len())));
    }
    changes
}

#[cfg(test)]
mod tests {
    use inlay_api::wire::agent::Change;
    use prost::Message as _;

    use super::*;

    #[test]
    fn a_change_is_what_prost_writes() {
        let rows: [(u32, Kind, &str, Option<&[u8]>); 4] = [
            (0, Kind::HostSettings, "", Some(b"v")),
            (7, Kind::Node, "web-1", Some(b"value")),
            (0x00ff_ffff, Kind::Acl, "a", None),
            (300, Kind::Network, "", Some(b"")),
        ];
        let mut chunks = Chunks::default();
        for (vni, kind, key, value) in rows {
            chunks.push(vni, kind, key, value);
        }
        let chunk = chunks.finish().remove(0);
        for (bytes, (vni, kind, key, value)) in split_chunk(chunk).iter().zip(rows) {
            let change = Change {
                vni,
                kind: kind.into(),
                key: key.into(),
                value: value.map(Bytes::copy_from_slice),
            };
            assert_eq!(*bytes, change.encode_to_vec());
        }
    }

    #[test]
    fn chunks_are_cut_at_their_limit() {
        let value = vec![1; CHUNK_BYTES_MAX * 2 / 5];
        let mut chunks = Chunks::default();
        for _ in 0..5 {
            chunks.push(1, Kind::Node, "n", Some(&value));
        }
        let chunks = chunks.finish();
        let lengths: Vec<_> = chunks.iter().cloned().map(split_chunk).collect();
        assert_eq!(lengths.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES_MAX));
    }
}
