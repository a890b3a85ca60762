//! Reads an input until all its faults are known. A good one is read once, and nothing here is
//! asked of it. One with a fault is read again with a [`Remedy`](super::path::Remedy) for each
//! fault that is known, until no more come to light; then its declared rules have their say.

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::errors::InputError;
use super::path::Repairs;
use crate::domain::fault::{Fault, Faults, MOST_FAULTS};

/// A typed input. What its type can't say is declared on it as rules.
pub trait Input: DeserializeOwned {
    /// What breaks its rules.
    ///
    /// # Errors
    /// All of it, in the order of the fields.
    fn check(&self) -> Result<(), Faults>;

    /// Whether `fault`, which breaks a rule, may only follow from one of `earlier`: the value that
    /// was judged had blanks where those stand.
    fn follows(fault: &Fault, earlier: &[Fault]) -> bool {
        is_hidden(fault, earlier)
    }
}

/// Whether `fault` lies at one of `earlier`, or one leads through the other.
pub(super) fn is_hidden(fault: &Fault, earlier: &[Fault]) -> bool {
    earlier.iter().any(|other| are_nested(&fault.path, &other.path))
}

/// Reads an input with `reading`, as often as it takes.
///
/// # Errors
/// Every fault of its shape, and of its rules where they can be judged, in the order of the fields.
pub fn read<T: Input>(reading: impl Fn(&Repairs) -> Result<T, InputError>) -> Result<T, Faults> {
    let mut repairs = Repairs::default();
    reading(&repairs).map_err(|error| all_faults(error, &mut repairs, reading))
}

fn all_faults<T: Input>(
    first: InputError,
    repairs: &mut Repairs,
    reading: impl Fn(&Repairs) -> Result<T, InputError>,
) -> Faults {
    let mut goes_on = repairs.add(&first);
    let mut faults = first.into_faults();
    while goes_on && faults.all().len() < MOST_FAULTS {
        match reading(repairs) {
            Err(error) => {
                goes_on = repairs.add(&error);
                if goes_on {
                    faults = faults.and(error.into_faults());
                }
            }
            Ok(input) => {
                let shape = faults.all().to_vec();
                if let Err(broken) = input.check() {
                    let own = broken.all().iter().filter(|fault| !T::follows(fault, &shape));
                    faults = own.cloned().fold(faults, |faults, fault| faults.and(fault.into()));
                }
                goes_on = false;
            }
        }
    }
    let faults = faults.sorted_by_key(|fault| rank(fields_of::<T>(), &fault.path));
    faults.at_most(MOST_FAULTS, goes_on)
}

/// Whether two paths are the same, or one leads through the other.
fn are_nested(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    long.strip_prefix(short).is_some_and(|rest| short.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Where a path stands: its first key's place among the fields, and its place in a list there.
pub(super) fn rank(fields: &[&str], path: &str) -> (usize, usize) {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let field = fields.iter().position(|field| *field == &path[..end]).unwrap_or(fields.len());
    let index = path[end..].strip_prefix('[').and_then(|rest| rest.split(']').next()?.parse().ok());
    (field, index.unwrap_or(0))
}

/// The fields of a struct in their order: what its derived `Deserialize` asks for.
pub(super) fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Listener<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Listener<'_> {
        type Error = InputError;

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, InputError> {
            Err(InputError::custom("only listens"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, InputError> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &[&str] = &[];
    // It always fails: what it was asked for is what counts.
    let _ = T::deserialize(Listener(&mut fields));
    fields
}
