//! What those may ask who watch a process from outside.

use std::sync::Arc;

use super::OrchestrationHandle;
use crate::engine::error::EngineError;
use crate::ffi::shared::call::Call;
use crate::ffi::shared::probes::{Probes, text};
use crate::ffi::shared::types::ProbesInput;

impl OrchestrationHandle {
    /// Answers probes over HTTP, until they are stopped or this handle is closed.
    pub fn serve_probes(self: &Arc<Self>, input: ProbesInput) -> Call<Arc<Probes>> {
        self.run(|engine, handle| async move {
            let probes = Probes::start(&engine, input.into_options()?).await?;
            let mut state = handle.state.lock();
            if state.attachment.is_none() {
                // It was closed meanwhile, and would not stop them any more.
                return Err(EngineError::HandleClosed);
            }
            state.probes.push(probes.clone());
            drop(state);
            Ok(probes)
        })
    }

    /// The metrics of this process, as the probes give them.
    pub fn metrics(self: &Arc<Self>) -> Call<String> {
        self.run(|engine, _| async move { Ok(text(&engine, None).await) })
    }
}
