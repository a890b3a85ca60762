//! What differs between a template and what its version fixes, one fault for each difference.

use serde_json::{Map, Value};

use super::Template;
use crate::domain::fault::{Fault, Faults, MOST_FAULTS};
use crate::domain::json::Json;

/// The longest value that is shown in a fault, in characters.
const MAX_SHOWN: usize = 100;

impl Template {
    /// Why this template can't take the place of the one that tasks use under its version, which fixes
    /// `used`: all that differs, at its place in this template.
    pub fn conflict(&self, used: &Json) -> Faults {
        let (namespace, name, version) = (&self.namespace, &self.name, &self.version);
        let message = format!(
            "{namespace}/{name} {version} is used by tasks with another graph or other schemas, and a version fixes \
             those; give the changed template a new version"
        );
        let version = Fault::new("version", message).with("a version that no task uses", version.as_str());
        let trees = (used.tree(), Json::of(&self.fixed()).and_then(|ours| ours.tree()));
        let differences = match trees {
            (Ok(used), Ok(ours)) => differences(&used, &ours),
            _ => Vec::new(),
        };
        Faults::of(version, differences).at_most(MOST_FAULTS, false)
    }
}

/// What differs between two [`super::Fixed`], as trees.
fn differences(used: &Value, ours: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Where there is none, the key is there, with null.
    let [used_input, our_input] = [used, ours].map(|fixed| fixed.get("input").filter(|input| !input.is_null()));
    values("input", used_input, our_input, &mut faults);
    Comparison { used: Step::all(used), ours: Step::all(ours) }.tell(&mut faults);
    faults
}

/// A step as a version fixes it.
struct Step<'a> {
    name: &'a str,
    depends_on: Vec<&'a str>,
    rest: &'a Map<String, Value>,
}

impl<'a> Step<'a> {
    fn all(fixed: &'a Value) -> Vec<Self> {
        let steps = fixed.get("steps").and_then(Value::as_array).into_iter().flatten();
        steps.filter_map(Self::read).collect()
    }

    fn read(step: &'a Value) -> Option<Self> {
        let rest = step.as_object()?;
        let depends_on = rest.get("depends_on").and_then(Value::as_array).into_iter().flatten();
        let depends_on = depends_on.filter_map(Value::as_str).collect();
        Some(Self { name: rest.get("name")?.as_str()?, depends_on, rest })
    }
}

struct Comparison<'a> {
    used: Vec<Step<'a>>,
    ours: Vec<Step<'a>>,
}

impl<'a> Comparison<'a> {
    fn tell(&self, faults: &mut Vec<Fault>) {
        let renamed = self.renamed();
        let now = |name: &'a str| renamed.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| *new);
        for step in &self.used {
            if find(&self.ours, now(step.name)).is_none() {
                let fault = Fault::new("steps", format!("the step {:?} is missing", step.name));
                faults.push(fault.with(format!("{:?}", step.name), "nothing"));
            }
        }
        for (index, step) in self.ours.iter().enumerate() {
            let path = format!("steps[{index}]");
            match self.used.iter().find(|other| now(other.name) == step.name) {
                None => {
                    let fault = Fault::new(&*path, format!("the step {:?} is new", step.name));
                    faults.push(fault.with("nothing", format!("{:?}", step.name)));
                }
                Some(before) => {
                    if before.name != step.name {
                        let message = format!("the step {:?} has taken the place of {:?}", step.name, before.name);
                        let fault = Fault::new(format!("{path}.name"), message);
                        faults.push(fault.with(format!("{:?}", before.name), format!("{:?}", step.name)));
                    }
                    self.edges(before, step, &path, now, faults);
                    settings(before, step, &path, faults);
                }
            }
        }
        self.order(now, faults);
    }

    /// Steps that are gone, each with a new one that has the same neighbours.
    fn renamed(&self) -> Vec<(&'a str, &'a str)> {
        let gone = self.used.iter().filter(|step| find(&self.ours, step.name).is_none());
        let mut new: Vec<_> = self.ours.iter().filter(|step| find(&self.used, step.name).is_none()).collect();
        let mut renamed = Vec::new();
        for step in gone {
            let around = self.neighbours(&self.used, step);
            if let Some(place) = new.iter().position(|other| self.neighbours(&self.ours, other) == around) {
                renamed.push((step.name, new.remove(place).name));
            }
        }
        renamed
    }

    /// The names of a step's parents and children, as far as both sides have them, and their numbers.
    fn neighbours(&self, side: &[Step<'a>], step: &Step<'a>) -> (Vec<&'a str>, usize, Vec<&'a str>, usize) {
        let known = |name: &&'a str| find(&self.used, name).is_some() && find(&self.ours, name).is_some();
        let children = side.iter().filter(|child| child.depends_on.contains(&step.name)).map(|child| child.name);
        let children: Vec<_> = children.collect();
        let parents: Vec<_> = step.depends_on.iter().copied().filter(known).collect();
        let mut known_children: Vec<_> = children.iter().copied().filter(known).collect();
        known_children.sort_unstable();
        (parents, step.depends_on.len(), known_children, children.len())
    }

    /// Edges that are gone, unless their parent is, and edges that are new.
    fn edges(
        &self,
        before: &Step<'a>,
        step: &Step<'a>,
        path: &str,
        now: impl Fn(&'a str) -> &'a str,
        faults: &mut Vec<Fault>,
    ) {
        let path = format!("{path}.depends_on");
        let old: Vec<&str> = before.depends_on.iter().map(|parent| now(parent)).collect();
        for parent in old.iter().filter(|parent| !step.depends_on.contains(parent)) {
            if find(&self.ours, parent).is_some() {
                let message = format!("the step {:?} does not depend on {parent:?} any more", step.name);
                faults.push(Fault::new(&*path, message).with(old.join(", "), step.depends_on.join(", ")));
            }
        }
        for parent in step.depends_on.iter().filter(|parent| !old.contains(parent)) {
            let message = format!("the step {:?} depends on {parent:?} now", step.name);
            faults.push(Fault::new(&*path, message).with(old.join(", "), step.depends_on.join(", ")));
        }
    }

    /// The steps of both sides in another order: tasks know them by their places.
    fn order(&self, now: impl Fn(&'a str) -> &'a str, faults: &mut Vec<Fault>) {
        let names = |side: &[Step<'a>]| -> Vec<&'a str> { side.iter().map(|step| step.name).collect() };
        let used: Vec<&str> = names(&self.used).into_iter().map(now).collect();
        let ours = names(&self.ours);
        let kept: Vec<&str> = used.iter().copied().filter(|name| ours.contains(name)).collect();
        let found: Vec<&str> = ours.iter().copied().filter(|name| used.contains(name)).collect();
        if kept != found {
            let fault = Fault::new("steps", "the steps stand in another order, which a version fixes too");
            faults.push(fault.with(shortened(&kept.join(", ")), shortened(&found.join(", "))));
        }
    }
}

fn find<'s, 'a>(steps: &'s [Step<'a>], name: &str) -> Option<&'s Step<'a>> {
    steps.iter().find(|step| step.name == name)
}

/// What a version fixes of a step beside its name and edges.
fn settings(before: &Step<'_>, step: &Step<'_>, path: &str, faults: &mut Vec<Fault>) {
    for key in keys(before.rest, step.rest) {
        if key != "name" && key != "depends_on" {
            values(&format!("{path}.{key}"), before.rest.get(key), step.rest.get(key), faults);
        }
    }
}

/// What differs between two values, down to the innermost.
fn values(path: &str, used: Option<&Value>, ours: Option<&Value>, faults: &mut Vec<Fault>) {
    match (used, ours) {
        (used, ours) if used == ours => {}
        (Some(Value::Object(used)), Some(Value::Object(ours))) => {
            for key in keys(used, ours) {
                values(&format!("{path}.{key}"), used.get(key), ours.get(key), faults);
            }
        }
        (Some(Value::Array(used)), Some(Value::Array(ours))) if used.len() == ours.len() => {
            for (index, (used, ours)) in used.iter().zip(ours).enumerate() {
                values(&format!("{path}[{index}]"), Some(used), Some(ours), faults);
            }
        }
        (used, ours) => {
            let (used, ours) = (shown(used), shown(ours));
            faults.push(Fault::new(path, format!("is {ours}, and was {used}")).with(used, ours));
        }
    }
}

/// The keys of both, each once, in their order.
fn keys<'v>(used: &'v Map<String, Value>, ours: &'v Map<String, Value>) -> Vec<&'v String> {
    let new = ours.keys().filter(|key| !used.contains_key(*key));
    used.keys().chain(new).collect()
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".into(), |value| shortened(&value.to_string()))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
