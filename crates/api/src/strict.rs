//! Reads JSON as it is meant: an object where fields are wanted, each key once, one kind where one is chosen.
//!
//! Left to themselves, derived types take a list for an object (the values in the order of the fields), maps keep the
//! last of two equal keys, and a choice with two kinds is called no JSON. None of it is what somebody meant to send.
//!
//! Assumption: what comes in has no keys but strings, which holds for JSON.
use serde::de::value::{MapAccessDeserializer, MapDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::{fmt, iter};

/// Reads a whole text.
///
/// # Errors
/// When it is not JSON, or not what the type takes.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(value)
}

/// A deserializer that is strict, and all within it.
pub struct Strict<D>(pub D);

/// What holds nothing else goes through as it is.
macro_rules! scalars {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$name(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Watch::keys(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Watch::keys(visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0
            .deserialize_newtype_struct(name, Watch::keys(visitor))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_seq(Watch::keys(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(count, Watch::keys(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0
            .deserialize_tuple_struct(name, count, Watch::keys(visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Watch::keys(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // As a map: for a struct, a list would do.
        self.0.deserialize_map(Watch {
            visitor,
            has_fields: true,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        kinds: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Choose { visitor, kinds })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// Hands on what it visits, and is strict with what lies within.
struct Watch<V> {
    visitor: V,
    /// A struct looks after its keys itself.
    has_fields: bool,
}

impl<V> Watch<V> {
    fn keys(visitor: V) -> Self {
        Watch {
            visitor,
            has_fields: false,
        }
    }
}

macro_rules! visits {
    ($($name:ident: $kind:ty,)*) => {$(
        fn $name<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.visitor.$name(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watch<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_fields {
            f.write_str("an object")
        } else {
            self.visitor.expecting(f)
        }
    }

    visits! {
        visit_bool: bool,
        visit_i64: i64,
        visit_u64: u64,
        visit_f64: f64,
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Strict(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Strict(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Elements(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        if self.has_fields {
            return self.visitor.visit_map(Fields(map));
        }
        let seen = BTreeSet::new();
        self.visitor.visit_map(Entries { map, seen })
    }
}

/// Reads a choice: a word, or an object with one key that names the kind.
struct Choose<V> {
    visitor: V,
    kinds: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Choose<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_of(self.kinds))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        let word = MapDeserializer::new(iter::once((word, ())));
        self.visitor.visit_enum(MapAccessDeserializer::new(word))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let kinds = self.kinds;
        let mut map = Kinds { map, kinds };
        let kind = MapAccessDeserializer::new(&mut map);
        let value = self.visitor.visit_enum(kind)?;
        match map.map.next_key::<SmolStr>()? {
            None => Ok(value),
            Some(second) => Err(Error::custom(format!(
                "`{second}` is a second kind; give one only"
            ))),
        }
    }
}

fn one_of(kinds: &[&str]) -> String {
    format!("one of `{}`", kinds.join("`, `"))
}

/// The one key of a choice, and what it holds.
struct Kinds<A> {
    map: A,
    kinds: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Kinds<A> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let kind = self.map.next_key_seed(seed)?;
        let empty = || Error::custom(format!("no kind is given, expected {}", one_of(self.kinds)));
        kind.map(Some).ok_or_else(empty)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(Within(seed))
    }
}

/// What lies within is read strictly too.
struct Within<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Within<S> {
    type Value = S::Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

struct Elements<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<A> {
    type Error = A::Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Within(seed))
    }
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

struct Fields<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Within(seed))
    }
}

/// A map whose keys nobody else compares.
struct Entries<A> {
    map: A,
    seen: BTreeSet<SmolStr>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<A> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let Some(key) = self.map.next_key::<SmolStr>()? else {
            return Ok(None);
        };
        let text: StrDeserializer<'_, A::Error> = key.as_str().into_deserializer();
        let value = seed.deserialize(text)?;
        // Only now, so that whoever follows the path of an error has heard of the key.
        if self.seen.contains(&key) {
            return Err(Error::custom(format!("`{key}` is given twice")));
        }
        self.seen.insert(key);
        Ok(Some(value))
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(Within(seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_types::permit::Request;
    use fleet_types::session::ClientFrame;

    fn check<T: for<'de> Deserialize<'de> + PartialEq + fmt::Debug>(text: &str, expected: &str) {
        match from_slice::<T>(text.as_bytes()) {
            Ok(value) => {
                let plain: T = serde_json::from_str(text).unwrap();
                assert_eq!((value, expected), (plain, "taken"), "{text}");
            }
            Err(error) => {
                let told = error.to_string();
                let told = told.split(" at line ").next().unwrap_or_default();
                assert_eq!(told, expected, "{text}");
            }
        }
    }

    #[test]
    fn objects_hold_each_key_once_and_are_no_lists() {
        let request =
            |more: &str| format!(r#"{{"request_id":"r","agent":"a","action":"x"{more}}}"#);
        for (more, expected) in [
            ("", "taken"),
            (
                r#","cost":{"tokens":7},"resources":[{"path":"a","mode":"shared"}],"instance":null,"priority":3"#,
                "taken",
            ),
            (
                r#","labels":{"a":"1","b":"1"},"parameters":{"a":[1,{"b":null}],"c":1.5}"#,
                "taken",
            ),
            (
                r#","cost":[5,7]"#,
                "invalid type: sequence, expected an object",
            ),
            (
                r#","instance":["i",1]"#,
                "invalid type: sequence, expected an object",
            ),
            (
                r#","resources":[["a","shared"]]"#,
                "invalid type: sequence, expected an object",
            ),
            (r#","labels":[]"#, "invalid type: sequence, expected a map"),
            (r#","labels":{"a":"1","a":"1"}"#, "`a` is given twice"),
            (r#","labels":{"a":"1","\u0061":"1"}"#, "`a` is given twice"),
            (
                r#","parameters":{"a":[{"b":1,"c":{"b":1},"b":2}]}"#,
                "`b` is given twice",
            ),
            (r#","agent":"b""#, "duplicate field `agent`"),
        ] {
            check::<Request>(&request(more), expected);
        }
    }

    #[test]
    fn a_choice_is_one_kind() {
        for (text, expected) in [
            (r#"{"heartbeat":{}}"#, "taken"),
            (r#"{"bye":{"id":9}}"#, "taken"),
            (
                r#"{"heartbeat":[]}"#,
                "invalid type: sequence, expected struct variant ClientFrame::Heartbeat",
            ),
            (
                r#"{"bye":[9]}"#,
                "invalid type: sequence, expected an object",
            ),
            (
                r#"{"bye":{"id":9},"heartbeat":{}}"#,
                "`heartbeat` is a second kind; give one only",
            ),
            (
                "{}",
                "no kind is given, expected one of `hello`, `heartbeat`, `request`, `finish`, `renew`, `extend`, `answer`, `offer`, `vote`, `acknowledge_halt`, `report`, `ready`, `bye`",
            ),
            (
                "7",
                "invalid type: integer `7`, expected one of `hello`, `heartbeat`, `request`, `finish`, `renew`, `extend`, `answer`, `offer`, `vote`, `acknowledge_halt`, `report`, `ready`, `bye`",
            ),
            (r#"{"bye":{"id":9}} x"#, "trailing characters"),
        ] {
            check::<ClientFrame>(text, expected);
        }
    }
}
