//! Where every step is, and what must hold of that at any time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasker_core::domain::fan_out::MAX_ITEMS;
use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::template::Template;
use tasker_core::engine::transactions::history::told;
use tasker_core::storage::StoreError;
use tasker_core::storage::rows::{HistoryRow, ReadyRow, StepRow, TaskMoved, TaskRow};

use super::actions::History;
use super::world::World;
use crate::bench::{from_the_start, touch};
use crate::calls::MOVES;

/// Nothing is due later.
const CENTURY: Duration = Duration::from_secs(100 * 366 * 86_400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Ready,
    Leased,
    Timer,
    /// In none of the tables of the queue.
    None,
}

#[derive(Debug, PartialEq)]
pub struct TaskSeen {
    pub state: TaskState,
    template: String,
    error: Option<Json>,
    ended: bool,
    history: Vec<Transition>,
    /// What it would come to if nothing of it were live any more.
    at_rest: Option<TaskState>,
}

#[derive(Debug, PartialEq)]
pub struct StepSeen {
    state: StepState,
    place: Place,
    token: Token,
    attempts: u16,
    crashes: u16,
    waiting: i32,
    result: Option<Json>,
    error: Option<Json>,
    route: Option<Vec<StepIndex>>,
    bypassed: bool,
    item: Option<Json>,
    history: Vec<Transition>,
}

/// State, place, attempts, crashes, result, route, whether a decision skipped it, item: what is compared with the model.
pub type Plain = (StepState, Place, u16, u16, Option<Json>, Option<Vec<StepIndex>>, bool, Option<Json>);

/// seq, from, to, attempt, session, detail.
type Transition = (i32, Option<String>, String, u16, Option<SessionId>, Option<Json>);

/// A whole database as both worlds must see it.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    pub tasks: BTreeMap<TaskId, TaskSeen>,
    pub steps: BTreeMap<StepKey, StepSeen>,
    /// Ready rows, leases and timers that belong to no step in that state, token and place.
    strays: Vec<(Place, ReadyRow)>,
}

// Empties the queue to see what is in it, counts each task's live steps down to see whether they are
// all, and undoes everything.
transaction!(Look {
    sessions: Vec<SessionId>,
    lanes: Vec<LaneId>,
    tasks: Vec<TaskId>,
    found: Arc<Mutex<Option<Seen>>>,
} -> (), |self, tx| {
    let mut queue: Vec<(Place, ReadyRow)> = Vec::new();
    for session in &self.sessions {
        let receipts = tx.receipts_of(*session, 10_000).await?;
        queue.extend(receipts.into_iter().flat_map(|receipt| receipt.steps).map(|row| (Place::Leased, row)));
    }
    let mut steps: BTreeMap<StepKey, StepRow> = BTreeMap::new();
    let mut histories: Vec<(TaskId, Vec<HistoryRow>)> = Vec::new();
    for &task in &self.tasks {
        let rows = tx.steps(task).await?;
        let of_template = rows.iter().filter(|row| row.item.is_none()).count();
        steps.extend(rows.into_iter().map(|row| (StepKey { task, index: row.index }, row)));
        let (of_task, of_steps) = (tx.task_history(task).await?, tx.step_history(task).await?);
        let Some(row) = tx.tasks(&[task]).await?.pop() else { continue };
        let history = told(row.created_at, of_template, of_task, of_steps, tx.held_now(task).await?);
        histories.push((task, history));
    }
    let tasks = tx.tasks(&self.tasks).await?;
    queue.extend(tx.take_ready(&from_the_start(&self.lanes), 100_000).await?.into_iter().map(|taken| (Place::Ready, taken.row)));
    queue.extend(tx.take_due(100_000).await?.into_iter().map(|row| (Place::Timer, row)));
    let mut seen = Seen::of(tasks, steps, histories, queue);
    let touches: Vec<_> = seen.tasks.keys().map(|&id| touch(id, true, -seen.live(id), 0)).collect();
    for TaskMoved { id, to, .. } in tx.touch_tasks(&touches, MOVES).await? {
        if let Some(task) = seen.tasks.get_mut(&id) {
            task.at_rest = Some(to);
        }
    }
    *self.found.lock() = Some(seen);
    Err(StoreError::SessionLost)
});

impl World {
    /// Everything that is in the database of the active tasks, and all of the queue.
    pub async fn see(&self, history: &History) -> Seen {
        let found = Arc::default();
        let look = Look {
            sessions: self.sessions.clone(),
            lanes: self.lanes.clone(),
            tasks: history.active.iter().copied().collect(),
            found: Arc::clone(&found),
        };
        self.db.travel(CENTURY);
        let undone = self.db.try_write(look).await;
        let back = i64::try_from(CENTURY.as_micros()).unwrap();
        self.db.options.clock_offset.fetch_sub(back, std::sync::atomic::Ordering::SeqCst);
        assert!(matches!(undone, Err(StoreError::SessionLost)), "{undone:?}");
        found.lock().take().unwrap()
    }
}

impl Seen {
    fn of(
        tasks: Vec<TaskRow>,
        steps: BTreeMap<StepKey, StepRow>,
        histories: Vec<(TaskId, Vec<HistoryRow>)>,
        queue: Vec<(Place, ReadyRow)>,
    ) -> Self {
        let mut seen = Self::default();
        let mut of_steps: BTreeMap<StepKey, Vec<Transition>> = BTreeMap::new();
        let mut of_tasks: BTreeMap<TaskId, Vec<Transition>> = BTreeMap::new();
        for (task, rows) in histories {
            for row in rows {
                let line = (row.seq, row.from, row.to, row.attempt, row.by, row.detail);
                match row.index {
                    Some(index) => of_steps.entry(StepKey { task, index }).or_default().push(line),
                    None => of_tasks.entry(task).or_default().push(line),
                }
            }
        }
        for row in tasks {
            let history = of_tasks.remove(&row.id).unwrap_or_default();
            let (state, template, ended) = (row.state, row.name, row.finished_at.is_some());
            let task = TaskSeen { state, template, error: row.error, ended, history, at_rest: None };
            seen.tasks.insert(row.id, task);
        }
        for (key, row) in steps {
            let StepRow { state, token, attempts, crashes, waiting, result, error, route, bypassed, item, .. } = row;
            let history = of_steps.remove(&key).unwrap_or_default();
            let place = Place::None;
            #[rustfmt::skip]
            let step =
                StepSeen { state, place, token, attempts, crashes, waiting, result, error, route, bypassed, item, history };
            seen.steps.insert(key, step);
        }
        for (place, row) in queue {
            match seen.steps.get_mut(&row.key) {
                Some(step) if step.token == row.token && step.state.is_unfinished() && step.place == Place::None => {
                    step.place = place;
                }
                _ => seen.strays.push((place, row)),
            }
        }
        seen
    }

    fn live(&self, id: TaskId) -> i32 {
        let of_task = StepKey { task: id, index: 0 }..=StepKey { task: id, index: StepIndex::MAX };
        self.steps.range(of_task).filter(|(_, step)| step.place != Place::None).count() as i32
    }

    /// The steps of a task.
    pub fn plain(&self, id: TaskId) -> BTreeMap<StepIndex, Plain> {
        let of_task = StepKey { task: id, index: 0 }..=StepKey { task: id, index: StepIndex::MAX };
        let plain = |step: &StepSeen| {
            let (result, route, item) = (step.result.clone(), step.route.clone(), step.item.clone());
            (step.state, step.place, step.attempts, step.crashes, result, route, step.bypassed, item)
        };
        self.steps.range(of_task).map(|(key, step)| (key.index, plain(step))).collect()
    }

    /// What must always hold.
    pub fn check(&self, world: &World) -> Result<(), String> {
        let ensure = |holds: bool, what: &str, about: &dyn std::fmt::Debug| {
            if holds { Ok(()) } else { Err(format!("{what}: {about:?}")) }
        };
        // A receipt outlives those of its steps that are done; nothing else outlives anything.
        let stray = self.strays.iter().find(|(place, _)| *place != Place::Leased);
        ensure(stray.is_none(), "the queue holds what is not to be run", &stray)?;
        for (key, step) in &self.steps {
            let about = (key, step);
            let task = self.tasks.get(&key.task).ok_or("a step has no task")?;
            let template = world.templates.iter().find(|stored| stored.template.name == task.template);
            let template = &template.ok_or("a task has no template")?.template;
            let satisfied = |&index: &StepIndex| {
                self.steps.get(&StepKey { index, ..*key }).is_some_and(|parent| parent.state.satisfies_children())
            };
            let parents = template.parents(key.index).iter().copied().chain(self.items(key, template));
            let unfinished = parents.filter(|parent| !satisfied(parent)).count() as i32;
            let is_item = template.groups.item(key.index).is_some();
            ensure(is_item == step.item.is_some(), "an item is that of an item's step", &about)?;
            let paused = task.state == TaskState::Paused;
            let counts = step.waiting == unfinished + i32::from(paused);
            ensure(counts || !step.state.is_unfinished(), "the counter is not that of the unfinished parents", &about)?;
            self.check_decisions(key, step, template)?;
            let queued = step.place != Place::None;
            ensure(!queued || step.state.is_unfinished(), "what is finished is queued", &about)?;
            let held = step.state == StepState::InProgress;
            ensure(
                queued == (held || (step.state.is_unfinished() && unfinished == 0 && !paused)),
                "queued is what waits for no parent",
                &about,
            )?;
            ensure((step.place == Place::Leased) == held, "held is in progress", &about)?;
            ensure(!(queued && task.state.is_ended()), "the task ended", &about)?;
            let result = matches!(step.state, StepState::Complete | StepState::ResolvedManually);
            ensure(step.result.is_some() == result, "a result is that of a complete step", &about)?;
            replay(&step.history, step.state.as_str())?;
        }
        for (id, task) in &self.tasks {
            let about = (id, task);
            ensure(task.ended == task.state.is_ended(), "a time of the end is that of an ended task", &about)?;
            let paused = task.state == TaskState::Paused;
            ensure(paused || task.ended == (self.live(*id) == 0), "a task ends when nothing of it is live", &about)?;
            let of_task = StepKey { task: *id, index: 0 }..=StepKey { task: *id, index: StepIndex::MAX };
            let failed = self.steps.range(of_task).any(|(_, step)| step.state == StepState::Error);
            let rest = if failed { TaskState::Error } else { TaskState::Complete };
            match task.ended {
                _ if paused => ensure(task.at_rest.is_none(), "a paused task moves by itself", &about)?,
                true if matches!(task.state, TaskState::Cancelled | TaskState::ResolvedManually) => {
                    ensure(self.live(*id) == 0, "what was given up is live", &about)?;
                }
                true => ensure(task.state == rest, "it ended in the wrong state", &about)?,
                false => ensure(task.at_rest == Some(rest), "its counts of live and failed steps are wrong", &about)?,
            }
            replay(&task.history, task.state.as_str())?;
        }
        Ok(())
    }

    /// The steps of the items of a group.
    fn items<'a>(&'a self, group: &StepKey, template: &'a Template) -> impl Iterator<Item = StepIndex> + 'a {
        let index = |position| template.groups.item_index(group.index, position);
        let of_group = index(0).zip(index(MAX_ITEMS as StepIndex - 1));
        let key = |index| StepKey { task: group.task, index };
        let range = of_group.map(|(first, last)| self.steps.range(key(first)..=key(last)));
        range.into_iter().flatten().map(|(key, _)| key.index)
    }

    /// A step is skipped by a decision exactly when one that is done left it out, or when every step that
    /// it needs was skipped so.
    fn check_decisions(&self, key: &StepKey, step: &StepSeen, template: &Template) -> Result<(), String> {
        let parents = template.graph.parents(key.index);
        let parent = |index: StepIndex| self.steps.get(&StepKey { index, ..*key });
        let left_out = parents.iter().any(|&index| {
            let is_branch = template.branches.of(index).contains(&key.index);
            let route = parent(index).and_then(|parent| parent.route.as_ref());
            is_branch && route.is_some_and(|route| !route.contains(&key.index))
        });
        let starved = !parents.is_empty() && parents.iter().all(|&index| parent(index).is_some_and(|one| one.bypassed));
        let decision = !template.branches.of(key.index).is_empty();
        let skips = left_out || starved;
        // By hand what is left out may run all the same, or be skipped before.
        if step.bypassed && !skips || skips && !step.bypassed && !self.is_by_hand(key.task) {
            return Err(format!("what decisions skip is wrong: {key:?}: {step:?}"));
        }
        if step.bypassed && step.state != StepState::Skipped
            || step.route.is_some() != (decision && step.state == StepState::Complete)
        {
            return Err(format!("what decisions left behind is wrong: {key:?}: {step:?}"));
        }
        Ok(())
    }

    /// Whether somebody moved a step of it by hand.
    fn is_by_hand(&self, id: TaskId) -> bool {
        let of_task = StepKey { task: id, index: 0 }..=StepKey { task: id, index: StepIndex::MAX };
        let details = self.steps.range(of_task).flat_map(|(_, step)| &step.history).filter_map(|line| line.5.as_ref());
        details.into_iter().any(|detail| detail.as_str().contains("\"operation\""))
    }

    pub fn summary(&self) -> String {
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        for name in self.tasks.values().map(|task| format!("task {}", task.state)) {
            *states.entry(name).or_default() += 1;
        }
        let by_decision = |step: &StepSeen| if step.bypassed { " by a decision" } else { "" };
        states.insert("items".into(), self.steps.values().filter(|step| step.item.is_some()).count());
        for name in self.steps.values().map(|step| format!("step {}{}", step.state, by_decision(step))) {
            *states.entry(name).or_default() += 1;
        }
        format!("{states:?}")
    }
}

/// The history leads from nothing to the present state, each transition from where the last ended.
fn replay(history: &[Transition], present: &str) -> Result<(), String> {
    let mut at: Option<&str> = None;
    let mut last = -1;
    for (seq, from, to, ..) in history {
        if from.as_deref() != at || *seq <= last {
            return Err(format!("the history has a gap: {history:?}"));
        }
        (at, last) = (Some(to.as_str()), *seq);
    }
    if at == Some(present) { Ok(()) } else { Err(format!("the history does not lead to {present}: {history:?}")) }
}
