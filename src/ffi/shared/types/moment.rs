//! A moment as a user gives it.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::domain::time::Timestamp;

/// The name under which [`Moment`] asks a deserializer for microseconds since 1970 (`visit_i64`).
pub const MOMENT: &str = "$tasker_core::Moment";

/// A moment given by a user: a time object of the host, or RFC 3339 text.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MomentVisitor;
        impl<'de> Visitor<'de> for MomentVisitor {
            type Value = Moment;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time, or text such as \"2026-01-31T12:00:00Z\"")
            }

            fn visit_i64<E: de::Error>(self, microseconds: i64) -> Result<Moment, E> {
                Ok(Moment(Timestamp(microseconds)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                let parsed = chrono::DateTime::parse_from_rfc3339(text);
                let parsed = parsed.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
                Ok(Moment(Timestamp(parsed.timestamp_micros())))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Moment, D::Error> {
                deserializer.deserialize_str(self)
            }
        }
        deserializer.deserialize_newtype_struct(MOMENT, MomentVisitor)
    }
}
