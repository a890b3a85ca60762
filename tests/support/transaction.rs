//! Small transactions for tests.

/// Declares a [`Transaction`](tasker_core::storage::Transaction): its fields, what it gives, and
/// what it does.
#[macro_export]
macro_rules! transaction {
    ($name:ident { $($field:ident: $type:ty),* $(,)? } -> $output:ty, |$self:ident, $tx:ident| $body:expr) => {
        pub struct $name { $(pub $field: $type),* }

        impl tasker_core::storage::Transaction for $name {
            type Output = $output;

            async fn run<T: tasker_core::storage::Tx>(
                &$self,
                $tx: &mut T,
            ) -> tasker_core::storage::Result<$output> {
                $body
            }
        }
    };
}
