use redis::{FromRedisValue, Value};

use super::fault::Fault;
use crate::config::RedisHost;

/// How many slots a Redis Cluster has.
const SLOTS: u16 = 16_384;

/// Which node of a Redis Cluster has which slots.
#[derive(Debug, Clone, Default)]
pub(super) struct SlotMap(Vec<Range>);

#[derive(Debug, Clone)]
struct Range {
    first: u16,
    last: u16,
    primary: RedisHost,
}

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS` of the node that was reached as `seed`.
    pub(super) fn read(answer: Value, seed: &RedisHost) -> Result<Self, Fault> {
        let Value::Array(ranges) = answer else {
            return Err(Fault::shape("the slots of a Cluster"));
        };
        let read = ranges.into_iter().map(|range| Range::read(range, seed));
        let ranges = read.collect::<Option<Vec<_>>>();
        ranges
            .map(Self)
            .ok_or_else(|| Fault::shape("the slots of a Cluster"))
    }

    /// The primary that has `slot`, if any has.
    pub(super) fn primary_of(&self, slot: u16) -> Option<&RedisHost> {
        let mut ranges = self.0.iter();
        let range = ranges.find(|range| (range.first..=range.last).contains(&slot));
        range.map(|range| &range.primary)
    }
}

impl Range {
    fn read(value: Value, seed: &RedisHost) -> Option<Self> {
        let Value::Array(parts) = value else {
            return None;
        };
        let mut parts = parts.into_iter();
        let first = u16::from_redis_value(parts.next()?).ok()?;
        let last = u16::from_redis_value(parts.next()?).ok()?;
        let Value::Array(node) = parts.next()? else {
            return None;
        };
        let mut node = node.into_iter();
        // A node that does not know its own address is the one we asked.
        let host = Option::<String>::from_redis_value(node.next()?).ok()?;
        let host = host.filter(|host| !host.is_empty() && host != "?");
        let port = u16::from_redis_value(node.next()?).ok()?;
        Some(Self {
            first,
            last,
            primary: RedisHost {
                host: host.unwrap_or_else(|| seed.host.clone()),
                port,
            },
        })
    }
}

/// The slot of a key: CRC-16 of what is between its first braces, or of all of it.
pub(super) fn slot_of(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty());
    crc16(tag.unwrap_or(key).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM, as the specification of Redis Cluster has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of("foo"), 12_182);
        assert_eq!(slot_of("{foo}.bar"), 12_182);
        assert_eq!(slot_of("a{foo}{bar}"), 12_182);
        assert_eq!(slot_of("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of("foo{bar"), crc16(b"foo{bar") % SLOTS);
    }

    #[test]
    fn nodes_that_do_not_name_themselves_are_the_one_that_was_asked() {
        let seed = RedisHost {
            host: "seed".to_owned(),
            port: 1,
        };
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), Value::Nil]);
        let range =
            |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let named = node(Value::BulkString(b"10.0.0.1".to_vec()), 7001);
        let answer = Value::Array(vec![
            range(0, 99, named),
            range(100, 16_383, node(Value::Nil, 7002)),
        ]);

        let map = SlotMap::read(answer, &seed).unwrap();

        assert_eq!(map.primary_of(99).unwrap().to_string(), "10.0.0.1:7001");
        assert_eq!(map.primary_of(100).unwrap().to_string(), "seed:7002");
        assert!(SlotMap::read(Value::Int(1), &seed).is_err());
    }
}
