//! A template as an input: its rules are those of [`Template::build`].

use crate::domain::fault::{Fault, Faults};
use crate::domain::template::{Template, TemplateInput};
use crate::ffi::shared::reading::{Input, is_hidden};

impl Input for TemplateInput {
    fn check(&self) -> Result<(), Faults> {
        Template::build(self.clone()).map(|_| ())
    }

    /// What is said of the edges holds only when every step's name and needs could be read.
    fn follows(fault: &Fault, earlier: &[Fault]) -> bool {
        let is_of_graph = |path: &str| path.ends_with(".name") || path.ends_with(".depends_on") || path == "steps";
        let hides_graph = |path: &str| is_of_graph(path) || path.ends_with(']') || path.contains(".depends_on[");
        earlier
            .iter()
            .any(|other| is_of_graph(&fault.path) && other.path.starts_with("steps") && hides_graph(&other.path))
            || is_hidden(fault, earlier)
    }
}
