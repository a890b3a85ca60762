//! Keys of free JSON, and the names of templates and steps, as Strings: the same text is the same frozen object. Tasks
//! of one template have the same ones, so those met of late are kept, and found again without making a String.

use std::sync::{Mutex, MutexGuard};

use magnus::prelude::*;
use magnus::value::Lazy;
use magnus::{Error, RArray, Ruby, Value};

use crate::errors::Failure;

/// Two keys may stand in each of these places.
const PLACES: usize = 2_048;
/// Longer ones are not kept: they are data rather than names.
const LONGEST: usize = 64;

/// The texts of what stands in [`STRINGS`].
static TEXTS: Mutex<Texts> = Mutex::new([const { None }; 2 * PLACES]);
type Texts = [Option<Box<str>>; 2 * PLACES];

/// The kept Strings, where the garbage collector sees them and may move them.
static STRINGS: Lazy<RArray> = Lazy::new(|ruby| ruby.ary_new_capa(2 * PLACES));

/// Has everything here made while nothing else runs.
pub fn init(ruby: &Ruby) {
    Lazy::force(&STRINGS, ruby);
}

/// The keys of one value that is being converted.
pub struct Keys {
    strings: RArray,
    /// Nobody waits for another thread's conversion (in a forked child that thread may be gone): there is
    /// nothing kept then.
    texts: Option<MutexGuard<'static, Texts>>,
}

impl Keys {
    pub fn new(ruby: &Ruby) -> Self {
        Self { strings: ruby.get_inner(&STRINGS), texts: TEXTS.try_lock().ok() }
    }

    /// The String of a key.
    pub fn get(&mut self, ruby: &Ruby, key: &str) -> Result<Value, Error> {
        let Some(texts) = self.texts.as_mut().filter(|_| key.len() <= LONGEST) else {
            return Ok(interned(ruby, key));
        };
        let first = 2 * place(key);
        for at in [first, first + 1] {
            match &texts[at] {
                Some(text) if **text == *key => return self.strings.entry(at as isize),
                Some(_) => {}
                None => return keep(self.strings, texts, at, interned(ruby, key), key),
            }
        }
        // What was met last stands second, so that one of two that alternate stays.
        keep(self.strings, texts, first + 1, interned(ruby, key), key)
    }
}

/// The String of a name.
pub fn name_of(ruby: &Ruby, name: &str) -> Result<Value, Failure> {
    Ok(Keys::new(ruby).get(ruby, name)?)
}

fn keep(strings: RArray, texts: &mut Texts, at: usize, string: Value, key: &str) -> Result<Value, Error> {
    strings.store(at as isize, string)?;
    texts[at] = Some(key.into());
    Ok(string)
}

fn interned(ruby: &Ruby, key: &str) -> Value {
    ruby.str_new(key).to_interned_str().as_value()
}

/// Where a key stands, by its length and its first and last eight bytes: names that are numbered differ at the end.
fn place(key: &str) -> usize {
    let bytes = key.as_bytes();
    let ends = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first).rotate_left(5) ^ u64::from_le_bytes(*last),
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    // The upper bits of a product depend on all bits of its factor (Knuth's multiplicative hashing).
    ((ends ^ bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - PLACES.ilog2())) as usize
}
