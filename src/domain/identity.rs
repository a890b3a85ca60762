//! What makes two tasks of a template the same one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::canonical::canonical;

/// How a task gets its key where its creator gives none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// It has none: no other task is the same.
    #[default]
    AlwaysUnique,
    /// From its template and its context.
    Context,
}

impl Identity {
    /// The key of a task of this template with this context: the SHA-256 of the UTF-8 bytes of the
    /// canonical text of `[namespace, name, context]`, in lower-case hexadecimal. The version is not
    /// part of it, as keys are unique among all versions.
    pub fn key(self, namespace: &str, name: &str, context: &Value) -> Option<String> {
        match self {
            Self::AlwaysUnique => None,
            Self::Context => {
                let names = [namespace, name].map(|name| canonical(&Value::from(name)));
                Some(sha256(&format!("[{},{},{}]", names[0], names[1], canonical(context))))
            }
        }
    }
}

/// The SHA-256 of a text in lower-case hexadecimal.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
