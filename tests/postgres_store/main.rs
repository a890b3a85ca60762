//! The PostgreSQL store against real servers: what the suite that both stores share cannot ask.

#[path = "../support/mod.rs"]
mod support;

/// Runs a block as a transaction; it sees the variables named in front as references to clones.
macro_rules! transact {
    ($store:ident . $how:ident ($($name:ident : $type:ty),*) |$tx:ident| -> $out:ty $body:block) => {{
        struct Run { $($name: $type),* }
        impl Transaction for Run {
            type Output = $out;
            async fn run<T: Tx>(&self, $tx: &mut T) -> Result<$out> {
                $(let $name = &self.$name;)*
                $body
            }
        }
        $store.$how(Run { $($name: $name.clone()),* }).await
    }};
}

mod bouncer;
mod creation;
mod feed;
mod helpers;
mod opening;
mod operations;
mod outbox;
mod plans;
mod pool;
mod queue;
mod retrying;
mod sessions;
mod settlement;
mod wakeups;
