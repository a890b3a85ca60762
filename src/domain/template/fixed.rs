//! What a version fixes.

use serde::Serialize;

use super::Template;
use crate::domain::fan_out::EachInput;
use crate::domain::json::Json;

/// See [`Template::fixed`].
#[derive(Debug, Serialize)]
pub struct Fixed<'a> {
    input: Option<&'a Json>,
    steps: Vec<FixedStep<'a>>,
}

#[derive(Debug, Serialize)]
struct FixedStep<'a> {
    name: &'a str,
    depends_on: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    branches: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<&'a EachInput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Json>,
}

impl Template {
    /// What a version fixes once a task uses it: the steps' names, their edges, branches and
    /// lists, the schemas. Of a list that the host makes it is fixed that there is one.
    pub fn fixed(&self) -> Fixed<'_> {
        let steps = self.normal.steps.iter().map(|step| {
            let mut depends_on: Vec<&str> = step.depends_on.iter().map(String::as_str).collect();
            depends_on.sort_unstable();
            let mut branches: Vec<&str> = step.branches.iter().map(String::as_str).collect();
            branches.sort_unstable();
            FixedStep { name: &step.name, depends_on, branches, each: step.each.as_ref(), output: step.output.as_ref() }
        });
        Fixed { input: self.normal.input.as_ref(), steps: steps.collect() }
    }
}
