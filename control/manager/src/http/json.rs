//! JSON of requests, read strictly: a name that occurs twice in an object is refused, for readers differ in which one
//! they take (RFC 8259, section 4); nesting and the count of values are bounded.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of a body. The objects need 6 levels.
pub(crate) const DEPTH_MAX: usize = 16;

/// Most values in a body, those within others included. In memory each takes about 80 bytes with its name; on the wire
/// it can be two. A security group of 1,000 rules has 5,000.
pub(crate) const VALUES_MAX: usize = 100_000;

/// Reads one JSON value and nothing behind it.
///
/// # Errors
/// What is wrong, with line and column.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let element = Element {
        depth: DEPTH_MAX,
        room: &Cell::new(VALUES_MAX),
    };
    let value = element.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// A value that may be nested `depth` levels deep.
struct Element<'a> {
    depth: usize,
    /// How many more values there may be in the body.
    room: &'a Cell<usize>,
}

impl Element<'_> {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        let deep = || E::custom(format!("nested deeper than {DEPTH_MAX} levels"));
        Ok(Self {
            depth: self.depth.checked_sub(1).ok_or_else(deep)?,
            room: self.room,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let many = || D::Error::custom(format!("more than {VALUES_MAX} values"));
        let room = self.room.get().checked_sub(1).ok_or_else(many)?;
        self.room.set(room);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is too large"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("{name:?} occurs twice")));
            }
            let value = members.next_value_seed(self.inner()?)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = br#"{"a": [1, -2, 2.5, null, true, "x\u00e9"], "b": {"c": {}}}"#;
        assert_eq!(
            parse(text).unwrap(),
            json!({"a": [1, -2, 2.5, null, true, "x\u{e9}"], "b": {"c": {}}})
        );
    }

    #[test]
    fn refuses_what_is_ambiguous_or_endless() {
        for (text, expected) in [
            (r#"{"a": 1, "a": 2}"#.to_owned(), "\"a\" occurs twice"),
            ("[".repeat(40), "nested deeper than 16 levels"),
            ("{\"a\":".repeat(40), "nested deeper than 16 levels"),
            ("{} {}".to_owned(), "trailing characters"),
            (String::new(), "EOF"),
            ("{\"a\": 1e999}".to_owned(), "number out of range"),
            (
                format!("[{}0]", "0,".repeat(VALUES_MAX)),
                "more than 100000 values",
            ),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_deepest_that_is_allowed_is_read() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
    }
}
