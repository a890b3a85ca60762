//! Objects and lists of the host as serde walks through them. What is left to an adapter is how
//! one of its values is read at a place.

use std::ops::Deref;
use std::rc::Rc;

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::blank::Blank;
use super::errors::InputError;
use super::path::{Path, Remedy, Segment};

/// The name of a pair.
#[derive(Clone, Debug)]
pub enum Name {
    /// Made for this one.
    Own(String),
    /// One that an adapter keeps, because it comes again and again.
    Kept(Rc<str>),
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Kept(text) => text,
        }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        match name {
            Name::Own(text) => text,
            Name::Kept(text) => text.as_ref().into(),
        }
    }
}

/// An object of the host, walked through once.
pub trait Object {
    /// The name of the next pair.
    fn next_name(&mut self) -> Option<Name>;

    /// Reads the value of the pair whose name came last.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read<'de, S: DeserializeSeed<'de>>(&self, seed: S, path: Path<'_>) -> Result<S::Value, InputError>;
}

/// A list of the host.
pub trait List {
    /// How many items it has, now.
    fn count(&self) -> usize;

    /// Reads one of them.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read<'de, S: DeserializeSeed<'de>>(&self, index: usize, seed: S, path: Path<'_>)
    -> Result<S::Value, InputError>;
}

/// The fields of an [`Object`].
pub struct Fields<'p, O> {
    object: O,
    path: Path<'p>,
    name: Name,
    is_blank: bool,
    missing: std::vec::IntoIter<String>,
    taken: Vec<Name>,
}

impl<'p, O: Object> Fields<'p, O> {
    /// The fields of the object that stands at `path`.
    pub fn new(object: O, path: Path<'p>) -> Self {
        let missing = path.missing_keys().into_iter();
        Self { object, path, name: Name::Own(String::new()), is_blank: false, missing, taken: Vec::new() }
    }

    /// Moves on to the next field that is to be read.
    fn advance(&mut self) -> bool {
        while let Some(name) = self.object.next_name() {
            self.name = name;
            if self.path.is_first_reading() {
                return true;
            }
            let here = self.path.key(&self.name);
            let is_left_out = here.needs(Remedy::LeaveOut)
                || (here.needs(Remedy::TakeOnce) && self.taken.iter().any(|name| **name == *self.name));
            self.is_blank = here.needs(Remedy::Blank);
            self.taken.push(self.name.clone());
            if !is_left_out {
                return true;
            }
        }
        match self.missing.next() {
            Some(name) => {
                (self.name, self.is_blank) = (Name::Own(name), true);
                true
            }
            None => false,
        }
    }
}

impl<'de, O: Object> MapAccess<'de> for Fields<'_, O> {
    type Error = InputError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, InputError> {
        if !self.advance() {
            return Ok(None);
        }
        let key = IntoDeserializer::<InputError>::into_deserializer(&*self.name);
        seed.deserialize(key).map(Some).map_err(|error| error.at(Segment::Key(self.name.to_string())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, InputError> {
        let read =
            if self.is_blank { seed.deserialize(Blank) } else { self.object.read(seed, self.path.key(&self.name)) };
        read.map_err(|error| error.at(Segment::Key(self.name.to_string())))
    }
}

/// The items of a [`List`].
pub struct Items<'p, L> {
    list: L,
    path: Path<'p>,
    next: usize,
}

impl<'p, L: List> Items<'p, L> {
    /// The items of the list that stands at `path`.
    pub fn new(list: L, path: Path<'p>) -> Self {
        Self { list, path, next: 0 }
    }
}

impl<'de, L: List> SeqAccess<'de> for Items<'_, L> {
    type Error = InputError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, InputError> {
        let index = self.next;
        if index >= self.list.count() {
            return Ok(None);
        }
        self.next += 1;
        let path = self.path.index(index);
        let read = if path.needs(Remedy::Blank) { seed.deserialize(Blank) } else { self.list.read(index, seed, path) };
        read.map(Some).map_err(|error| error.at(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.list.count().saturating_sub(self.next))
    }
}
