//! What a handle says about itself: taken at one moment, and worked out when it is read.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use uuid::Uuid;

use super::orchestration_system::Place;
use super::types::HandleOptions;
use crate::storage::rows::StoreFacts;
use crate::storage::url::DatabaseUrl;

/// What never changes about a handle. It holds nothing open.
#[derive(Debug)]
pub(super) struct HandleFacts {
    pub(super) id: Uuid,
    pub(super) place: Place,
    pub(super) options: HandleOptions,
    pub(super) created_at: SystemTime,
    pub(super) created: Instant,
}

impl HandleFacts {
    pub(super) fn new(place: Place, options: HandleOptions) -> Self {
        Self { id: Uuid::now_v7(), place, options, created_at: SystemTime::now(), created: Instant::now() }
    }

    pub(super) fn is_expired(&self) -> bool {
        self.options.ttl.is_some_and(|ttl| self.created.elapsed() >= ttl)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct HandleInfo {
    facts: Arc<HandleFacts>,
    status: HandleStatus,
    pool: Option<Pool>,
}

/// Whether a handle can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleStatus {
    /// It can.
    Active,
    /// Its ttl is over.
    Expired,
    /// It was closed.
    Closed,
}

impl HandleStatus {
    /// Its name, in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Closed => "closed",
        }
    }
}

/// A pool and the process that has it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) pid: u32,
    pub(super) facts: StoreFacts,
}

impl HandleInfo {
    pub(super) fn new(facts: Arc<HandleFacts>, status: HandleStatus, pool: Option<Pool>) -> Self {
        Self { facts, status, pool }
    }

    /// Whether it is about that handle as it stands.
    #[inline]
    pub(super) fn still_holds(&self, facts: &Arc<HandleFacts>, status: HandleStatus, pool: Option<&Pool>) -> bool {
        Arc::ptr_eq(&self.facts, facts) && self.status == status && self.pool.as_ref() == pool
    }

    /// The handle's id.
    pub fn id(&self) -> Uuid {
        self.facts.id
    }

    /// When it was made.
    pub fn created_at(&self) -> SystemTime {
        self.facts.created_at
    }

    /// When it expires.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.facts.options.ttl.map(|ttl| self.facts.created_at + ttl)
    }

    /// Whether it could be used.
    pub fn status(&self) -> HandleStatus {
        self.status
    }

    /// `sqlite` or `postgres`.
    pub fn backend(&self) -> &'static str {
        match self.facts.place.url {
            DatabaseUrl::Sqlite(_) => "sqlite",
            DatabaseUrl::Postgres(_) => "postgres",
        }
    }

    /// The database, without a password.
    pub fn database(&self) -> String {
        self.facts.place.url.redacted()
    }

    /// The pool; `None` where this process has none: before the first use after a fork, and once it is closed.
    pub fn pool(&self) -> Option<&StoreFacts> {
        self.pool.as_ref().filter(|pool| pool.pid == self.pid()).map(|pool| &pool.facts)
    }

    /// This process. Looked up when it is asked for, because a fork may lie between: it costs a system call.
    pub fn pid(&self) -> u32 {
        std::process::id()
    }
}
