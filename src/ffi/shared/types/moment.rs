//! A moment as a user gives it and is given it.

use chrono::{DateTime, SecondsFormat};
use serde::de::{self, Deserializer, Visitor};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// The name under which [`Moment`] asks a deserializer for microseconds since 1970 (`visit_i64`), and gives them to a
/// serializer that writes no text.
pub const MOMENT: &str = "$tasker_core::Moment";

/// A moment: a time object of the host, or RFC 3339 text. As text it is given in UTC, to the microsecond.
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

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_newtype_struct(MOMENT, &self.0.0);
        }
        let moment = DateTime::from_timestamp_micros(self.0.0);
        let moment = moment.ok_or_else(|| S::Error::custom("a moment out of range"))?;
        serializer.serialize_str(&moment.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}
