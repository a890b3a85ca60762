//! Typed inputs and outputs. serde's traits are the seam: one derive serves every adapter.
//!
//! * `tasks`: what is asked of tasks. `options`: how handles and workers are to behave.
//! * `operations`: what is asked of tasks and steps by hand.
//! * `annotations`: remarks on tasks. `drawing`: graphs as pictures. `database`: what a database is.
//! * `failure`: what a handler's failure is reported with. `moment`: a moment as a user gives it.
//! * `template`: the rules of a template. `rules`: what several of them declare alike.
//! * `upkeep`: what is asked of a database as a whole.
//! * `views`: snapshots of what is stored. `task_analysis`: what there is to say of a task,
//!   `analytics` of many.
//!
//! The fields of an input are private: whoever wants what is in it goes through the conversion that
//! checks its rules.

mod analytics;
mod annotations;
mod database;
mod drawing;
mod failure;
mod moment;
mod operations;
mod options;
pub(in crate::ffi) mod rules;
mod task_analysis;
mod tasks;
mod template;
mod upkeep;
mod views;

pub use analytics::{
    Analytics, Durations, Outcomes, SlowStep, SlowTask, StepAnalytics, SystemHealth, TemplateAnalytics, WindowInput,
};
pub use annotations::{AnnotateInput, AnnotationView, AnnotationsInput};
pub use database::{DatabaseState, ExamineInput};
pub use drawing::{DrawInput, Placed, PlacedLine, PlacedStep, RailRow, Rails};
pub use failure::FailInput;
pub use moment::{MOMENT, Moment};
pub use operations::{BulkInput, NoteInput, ResolveInput, UpdateInput};
pub use options::{HandleOptions, OpenInput, ProbesInput, SubscribeInput, WaitInput, Wanted, WorkerInput};
pub use task_analysis::{Dependencies, StepCounts, StepReadiness, TaskExecutionContext, ViableSteps};
pub use tasks::{
    CreateTaskInput, CreateTasksInput, FindTemplateInput, ListTasksInput, OnDuplicate, Page, WantedTemplate,
    parse_task_id,
};
pub use upkeep::{PauseQueueInput, PurgeInput, ResumeQueueInput};
pub use views::{HistoryView, StepView, TaskView};
