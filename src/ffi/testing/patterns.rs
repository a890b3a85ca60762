//! The shapes of workflows that tests run, each from a number of steps or their names.
//!
//! ```text
//! linear            diamond               parallel
//!
//! 1 → 2 → 3           ┌→ 2 ─┐             1 ─┐
//!                   1 ┼→ 3 ─┼→ 5          2 ─┼→ 4
//!                     └→ 4 ─┘             3 ─┘
//!
//! tree                                    dense: each layer to all of the next
//!
//!     ┌→ 2 ┬→ 4                           1 ─┬→ 4 ─┬→ 7
//!   1 ┤    └→ 5                           2 ─┼→ 5 ─┼→ 8
//!     └→ 3 ┬→ 6                           3 ─┴→ 6 ─┴→ 9
//!          └→ 7
//! ```
//!
//! * **linear**: a chain.
//! * **diamond**: one first step, one last, all others between them side by side.
//! * **parallel**: steps side by side that have nothing before them, joined by the last.
//! * **tree**: every step has up to two children, filled layer by layer. It branches and is never
//!   joined: it ends with its leaves.
//! * **dense**: layers as wide as there are layers (the last may be narrower), each step of one needed by every
//!   step of the next.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::domain::fault::{Fault, Faults};
use crate::ffi::shared::reading::Input;

/// The most steps of a pattern: a dense one of as many has some 30,000 edges.
pub const MOST_STEPS: usize = 1_000;

/// A shape; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// A chain.
    Linear,
    /// One, many, one.
    Diamond,
    /// Many, one.
    Parallel,
    /// One, two, four and so on.
    Tree,
    /// Layers, each fully connected to the next.
    Dense,
}

/// What a host asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternInput {
    /// The shape.
    pub pattern: Pattern,
    /// Its steps; as many as show the shape where they are left out.
    #[serde(default)]
    pub steps: Option<Steps>,
}

impl Input for PatternInput {
    fn check(&self) -> Result<(), Faults> {
        self.count().map(drop)
    }
}

/// How many steps, called `step1`, `step2` and so on; or their names.
#[derive(Clone, Debug)]
pub enum Steps {
    /// So many.
    Count(i64),
    /// These.
    Names(Vec<String>),
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StepsVisitor;
        impl<'de> Visitor<'de> for StepsVisitor {
            type Value = Steps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of steps or a list of their names")
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Steps, E> {
                Ok(Steps::Count(count))
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Steps, E> {
                Ok(Steps::Count(i64::try_from(count).unwrap_or(i64::MAX)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<Steps, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(names)).map(Steps::Names)
            }
        }
        deserializer.deserialize_any(StepsVisitor)
    }
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternStep {
    /// Its name.
    pub name: String,
    /// How many steps stand before it on the longest way to it.
    pub layer: usize,
    /// The names of the steps it needs.
    pub depends_on: Vec<String>,
}

impl Pattern {
    /// The least number of steps that shows the shape, and the one to take when nothing is said.
    fn sizes(self) -> (usize, usize) {
        match self {
            Self::Linear => (1, 3),
            Self::Diamond => (4, 4),
            Self::Parallel => (3, 4),
            Self::Tree => (3, 7),
            Self::Dense => (4, 9),
        }
    }

    /// The layer of each of `count` steps, and the steps it needs, by index.
    fn shape(self, count: usize) -> Vec<(usize, Vec<usize>)> {
        let last = count - 1;
        let width = count.isqrt() + usize::from(count.isqrt().pow(2) < count);
        let place = |step: usize| match self {
            Self::Linear => (step, step.checked_sub(1).into_iter().collect()),
            Self::Diamond if step == 0 => (0, Vec::new()),
            Self::Diamond if step == last => (2, (1..last).collect()),
            Self::Diamond => (1, vec![0]),
            Self::Parallel if step == last => (1, (0..last).collect()),
            Self::Parallel => (0, Vec::new()),
            Self::Tree if step == 0 => (0, Vec::new()),
            Self::Tree => ((step + 1).ilog2() as usize, vec![(step - 1) / 2]),
            Self::Dense => {
                let layer = step / width;
                (layer, (layer.saturating_sub(1) * width..layer * width).collect())
            }
        };
        (0..count).map(place).collect()
    }
}

impl PatternInput {
    /// How many steps it has.
    fn count(&self) -> Result<usize, Faults> {
        let (least, standard) = self.pattern.sizes();
        let given = match &self.steps {
            None => standard as i64,
            Some(Steps::Count(count)) => *count,
            Some(Steps::Names(names)) => names.len() as i64,
        };
        let fits = usize::try_from(given).ok().filter(|count| (least..=MOST_STEPS).contains(count));
        fits.ok_or_else(|| {
            let pattern = format!("{:?}", self.pattern).to_lowercase();
            let message = format!("a {pattern} workflow has {least} to {MOST_STEPS} steps");
            Fault::new("steps", message).with(format!("{least} to {MOST_STEPS}"), given.to_string()).into()
        })
    }

    /// The steps, each after those it needs.
    ///
    /// # Errors
    /// When there are too few or too many.
    pub fn steps(self) -> Result<Vec<PatternStep>, Faults> {
        let count = self.count()?;
        let names = match self.steps {
            Some(Steps::Names(names)) => names,
            _ => (1..=count).map(|n| format!("step{n}")).collect(),
        };
        let steps = self.pattern.shape(count).into_iter().zip(&names).map(|((layer, needs), name)| PatternStep {
            name: name.clone(),
            layer,
            depends_on: needs.into_iter().filter_map(|step| names.get(step).cloned()).collect(),
        });
        Ok(steps.collect())
    }
}
