//! Fan-out: a step with `each:` is done once for every item of a list. The step itself, the *group*,
//! makes the list when its parents are done, waits for the steps of its items, and then has their
//! results in order.
//!
//! The steps of items are not in the template's graph, which every task shares. Their places follow
//! from it, though: the items of the n-th group stand behind all steps of the template, from
//! `steps + n * MAX_ITEMS` on, in their order. So a step's index alone tells what it is.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::fault::{Fault, hint};
use super::graph::Graph;
use super::id::StepIndex;
use super::json::Json;
use super::template::{StepInput, Template};

/// The most items that one list may have.
pub const MAX_ITEMS: usize = 10_000;

/// Where a list comes from, as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EachInput {
    /// `true`: the host has something that makes it.
    Host,
    /// A parent's name, or a path into its result.
    Path(String),
}

impl Serialize for EachInput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Host => serializer.serialize_bool(true),
            Self::Path(path) => serializer.serialize_str(path),
        }
    }
}

impl<'de> Deserialize<'de> for EachInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = EachInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a step that it needs, a path into that step's result, or what makes a list")
            }

            fn visit_bool<E: de::Error>(self, host: bool) -> Result<EachInput, E> {
                if host { Ok(EachInput::Host) } else { Err(E::invalid_value(de::Unexpected::Bool(host), &self)) }
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<EachInput, E> {
                Ok(EachInput::Path(path.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Where a list comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Each {
    /// The host makes it.
    Host,
    /// It stands in the result of a parent.
    Path {
        /// The parent.
        parent: StepIndex,
        /// The keys that lead to it; none when it is the result itself.
        keys: Vec<String>,
        /// The same as it was written.
        text: String,
    },
}

/// The groups of a template. Of one without groups it is empty and costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// How many steps the template has.
    steps: StepIndex,
    /// The groups in the order of their indexes, with their lists.
    groups: Vec<(StepIndex, Each)>,
}

impl Groups {
    /// The groups among steps that form this graph.
    ///
    /// # Errors
    /// Every fault of them, each with its path (`steps[2].each`).
    pub fn build(graph: &Graph, steps: &[StepInput]) -> Result<Self, Vec<Fault>> {
        let (mut groups, mut faults) = (Vec::new(), Vec::new());
        for (i, step) in steps.iter().enumerate() {
            let Some(each) = &step.each else { continue };
            if !step.branches.is_empty() {
                let message =
                    "a step that is done for each item of a list can't choose among branches: which item would?";
                faults.push(Fault::new(format!("steps[{i}].branches"), message));
            }
            match parse(each, i as StepIndex, graph, steps) {
                Ok(each) => groups.push((i as StepIndex, each)),
                Err(fault) => faults.push(Fault { path: format!("steps[{i}].each"), ..fault }),
            }
        }
        faults.extend(taken_names(&groups, steps));
        let steps = steps.len() as StepIndex;
        if faults.is_empty() { Ok(Self { steps, groups }) } else { Err(faults) }
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Where the list of a group comes from; `None` for a step that is none.
    pub fn each(&self, step: StepIndex) -> Option<&Each> {
        let place = self.groups.binary_search_by_key(&step, |(group, _)| *group).ok()?;
        self.groups.get(place).map(|(_, each)| each)
    }

    /// The group of an item's step, and the place of the item in the list.
    pub fn item(&self, step: StepIndex) -> Option<(&StepIndex, StepIndex)> {
        let beyond = step.checked_sub(self.steps)?;
        let (group, _) = self.groups.get(beyond as usize / MAX_ITEMS)?;
        Some((group, beyond % MAX_ITEMS as StepIndex))
    }

    /// The index of an item's step.
    pub fn item_index(&self, group: StepIndex, position: StepIndex) -> Option<StepIndex> {
        let place = self.groups.binary_search_by_key(&group, |(group, _)| *group).ok()?;
        let first = StepIndex::try_from(place * MAX_ITEMS).ok()?.checked_add(self.steps)?;
        first.checked_add(position).filter(|_| (position as usize) < MAX_ITEMS)
    }
}

/// Takes a path apart: the name of a parent, which may have dots in it itself, and the keys after it.
fn parse(each: &EachInput, step: StepIndex, graph: &Graph, steps: &[StepInput]) -> Result<Each, Fault> {
    let EachInput::Path(text) = each else { return Ok(Each::Host) };
    let parents =
        graph.parents(step).iter().filter_map(|&index| Some((index, steps.get(index as usize)?.name.as_str())));
    let rest = |name: &str| match text.strip_prefix(name) {
        Some("") => Some(Vec::new()),
        Some(rest) => rest.strip_prefix('.').map(|keys| keys.split('.').map(str::to_owned).collect()),
        None => None,
    };
    let found = parents.clone().filter_map(|(parent, name)| Some((name.len(), parent, rest(name)?)));
    if let Some((_, parent, keys)) = found.max_by_key(|(length, ..)| *length) {
        return Ok(Each::Path { parent, keys, text: text.clone() });
    }
    let first = text.split('.').next().unwrap_or(text);
    let names: Vec<&str> = parents.map(|(_, name)| name).collect();
    let message = format!("the step does not depend on {first:?}{}", hint(first, names.iter().copied()));
    let expected = match names.is_empty() {
        true => "what makes a list: it depends on no step".to_owned(),
        false => format!("one of {}, or a path such as \"{}.items\"", names.join(", "), names[0]),
    };
    Err(Fault::new("", message).with(expected, format!("{text:?}")))
}

/// The steps whose names would be those of items.
fn taken_names<'a>(groups: &'a [(StepIndex, Each)], steps: &'a [StepInput]) -> impl Iterator<Item = Fault> + 'a {
    let names: HashMap<&str, usize> = groups
        .iter()
        .filter_map(|(group, _)| Some((steps.get(*group as usize)?.name.as_str(), *group as usize)))
        .collect();
    steps.iter().enumerate().filter_map(move |(i, step)| {
        let (group, _) = item_name(&step.name)?;
        names.get(group).map(|_| {
            let message = format!("{:?} is what an item of the step {group:?} is called", step.name);
            Fault::new(format!("steps[{i}].name"), message)
        })
    })
}

/// The name of a group and a place in its list, of a name such as `parcel[3]`.
fn item_name(name: &str) -> Option<(&str, StepIndex)> {
    let (group, place) = name.strip_suffix(']')?.rsplit_once('[')?;
    let is_plain = place.bytes().all(|digit| digit.is_ascii_digit()) && (place == "0" || !place.starts_with('0'));
    Some((group, place.parse().ok().filter(|_| is_plain)?))
}

/// The items of the list to which `keys` lead in `value`, each byte for byte as it stands there.
///
/// # Errors
/// When there is no such place, when what is there is no list, or when it is too long.
pub fn items(value: &Json, keys: &[String]) -> Result<Vec<Json>, Fault> {
    let not_json = |error: serde_json::Error| Fault::new("each", format!("is not JSON: {error}"));
    let mut at: &RawValue = serde_json::from_str(value.as_str()).map_err(not_json)?;
    for (depth, key) in keys.iter().enumerate() {
        let found = match at.get().trim_start().as_bytes().first() {
            Some(b'{') => {
                serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(at.get()).map_err(not_json)?.remove(&**key)
            }
            Some(b'[') => {
                let place = key.parse::<usize>().ok();
                let list: Vec<&RawValue> = serde_json::from_str(at.get()).map_err(not_json)?;
                place.and_then(|place| list.get(place).copied())
            }
            _ => None,
        };
        at = found.ok_or_else(|| {
            let so_far = keys[..depth].join(".");
            let place = if so_far.is_empty() { "the result".to_owned() } else { format!("{so_far:?} of the result") };
            Fault::new("each", format!("there is no {key:?} in {place}")).with("an Array", shown(at))
        })?;
    }
    if !at.get().trim_start().starts_with('[') {
        return Err(Fault::new("each", "the list is no Array").with("an Array", shown(at)));
    }
    let list: Vec<&RawValue> = serde_json::from_str(at.get()).map_err(not_json)?;
    check_length(list.len())?;
    Ok(list.into_iter().map(|item| Json::from_trusted(item.get())).collect())
}

/// Whether a list is not too long.
///
/// # Errors
/// When it is.
pub fn check_length(length: usize) -> Result<(), Fault> {
    if length <= MAX_ITEMS {
        return Ok(());
    }
    let message = format!("a list has at most {MAX_ITEMS} items; this one has {length}");
    Err(Fault::new("each", message).with(format!("at most {MAX_ITEMS} items"), length.to_string()))
}

/// The beginning of a value.
fn shown(value: &RawValue) -> String {
    value.get().chars().take(60).collect()
}

impl Template {
    /// The step of the template by which this one runs: of an item's step its group, else itself.
    pub fn home(&self, step: StepIndex) -> StepIndex {
        self.groups.item(step).map_or(step, |(group, _)| *group)
    }

    /// The name of a step, of an item's (`parcel[3]`) too.
    pub fn name_of(&self, step: StepIndex) -> Option<Cow<'_, str>> {
        let name = self.step(step)?.name.as_str();
        Some(match self.groups.item(step) {
            Some((_, position)) => Cow::Owned(format!("{name}[{position}]")),
            None => Cow::Borrowed(name),
        })
    }

    /// The index of the item's step with this name.
    pub fn item_named(&self, name: &str) -> Option<StepIndex> {
        let (group, position) = item_name(name)?;
        self.groups.item_index(self.index(group)?, position)
    }

    /// The steps that a step needs: an item's needs what its group needs.
    pub fn parents(&self, step: StepIndex) -> &[StepIndex] {
        self.graph.parents(self.home(step))
    }

    /// The steps that need a step: an item's is needed by its group.
    pub fn children(&self, step: StepIndex) -> &[StepIndex] {
        match self.groups.item(step) {
            Some((group, _)) => std::slice::from_ref(group),
            None => self.graph.children(step),
        }
    }
}
