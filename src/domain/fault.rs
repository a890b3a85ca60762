//! What is wrong with an input: where, what was expected, what was found.

use std::fmt;

/// The most faults that are told of one input.
pub const MOST_FAULTS: usize = 20;

/// One thing wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The dotted path to it, such as `steps[2].depends_on`; empty for the whole input.
    pub path: String,
    /// What is wrong, in a sentence that says what to do.
    pub message: String,
    /// What would have been right, where it can be said in a few words.
    pub expected: Option<String>,
    /// What was there, where it can be shown in a few words.
    pub got: Option<String>,
    /// The message without the value that stands there, where `message` quotes it: for values that are not to be shown.
    pub discreet: Option<String>,
}

impl Fault {
    /// A fault with a message alone.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), expected: None, got: None, discreet: None }
    }

    /// Says what was expected and what was found instead.
    pub fn with(mut self, expected: impl Into<String>, got: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self.got = Some(got.into());
        self
    }

    /// The same without the value, where it quotes that.
    pub fn without_value(mut self) -> Self {
        if let Some(discreet) = self.discreet.take() {
            self.message = discreet;
        }
        self
    }

    /// The names of the keys on its path, outermost first. A dot in a key's name ends it.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.path.split(['.', '[', ']']).filter(|part| !part.is_empty() && !part.bytes().all(|b| b.is_ascii_digit()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Everything wrong with one input; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// `Ok` when there is nothing wrong.
    ///
    /// # Errors
    /// The faults, when there are any.
    pub fn check(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }

    /// At least this one.
    pub fn of(first: Fault, more: impl IntoIterator<Item = Fault>) -> Self {
        Self(std::iter::once(first).chain(more).collect())
    }

    /// These, and then those.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The same, in the order of `key`; those with the same key stay as they stand.
    pub fn sorted_by_key<K: Ord>(mut self, key: impl FnMut(&Fault) -> K) -> Self {
        self.0.sort_by_key(key);
        self
    }

    /// The first `most` of them; the last one says so when there are more, or `may_be_more`.
    pub fn at_most(mut self, most: usize, may_be_more: bool) -> Self {
        let is_cut = self.0.len() > most;
        self.0.truncate(most);
        if let Some(last) = self.0.last_mut().filter(|_| is_cut || may_be_more) {
            const MORE: &str = "; there may be more faults than these";
            last.message.push_str(MORE);
            last.discreet.iter_mut().for_each(|discreet| discreet.push_str(MORE));
        }
        self
    }

    /// The same, without the values at the places that `hides` names.
    pub fn hiding(self, hides: impl Fn(&Fault) -> bool) -> Self {
        Self(self.0.into_iter().map(|fault| if hides(&fault) { fault.without_value() } else { fault }).collect())
    }

    /// All of them, in the order in which they were found.
    pub fn all(&self) -> &[Fault] {
        &self.0
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

/// The valid name that is most like `wrong`, when one is like enough to be what was meant.
pub fn nearest<'a>(wrong: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    valid
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// ` (did you mean "…"?)` for the nearest valid name, or else a list of all of them.
pub fn hint<'a>(wrong: &str, valid: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(wrong, valid.clone()) {
        Some(name) => format!(" (did you mean {name:?}?)"),
        None => {
            let names: Vec<&str> = valid.into_iter().take(20).collect();
            if names.is_empty() { String::new() } else { format!(" (there are: {})", names.join(", ")) }
        }
    }
}
