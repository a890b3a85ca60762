//! Queues that are paused.

use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::QueuePause;

use crate::bench::*;
use crate::calls::*;

fn pause(queue: &str, namespace: Option<&str>, reason: Option<&str>) -> PauseQueue {
    let (namespace, reason) = (namespace.map(str::to_owned), reason.map(str::to_owned));
    PauseQueue { pause: QueuePause { queue: queue.into(), namespace, at: Timestamp(0), by: None, reason } }
}

on_each_store! {
    async fn a_pause_stays_as_it_was_made_until_it_is_ended(db: &Database) {
        let any = async || db.read(LookOut { lanes: Vec::new() }).await.paused;
        assert!(!any().await);
        assert!(db.write(pause("mail", None, Some("first"))).await);
        assert!(any().await);
        let made = db.read(Now {}).await;
        db.travel(MINUTE);
        assert!(!db.write(pause("mail", None, Some("second"))).await);
        assert!(db.write(pause("mail", Some("shop"), None)).await);
        assert!(db.write(pause("Mail", None, None)).await);
        let found = db.read(PausedQueues {}).await;
        let names: Vec<_> = found.iter().map(|pause| (pause.queue.as_str(), pause.namespace.as_deref())).collect();
        assert_eq!(names, [("Mail", None), ("mail", None), ("mail", Some("shop"))]);
        assert_eq!(found[1].reason.as_deref(), Some("first"));
        assert!(found[1].at <= made && made.since(found[1].at) < MINUTE);

        let resume = |namespace: Option<&'static str>| db.write(ResumeQueue { queue: "mail", namespace });
        assert!(resume(None).await && !resume(None).await);
        assert!(resume(Some("shop")).await && !resume(Some("none")).await);
        assert_eq!(db.read(PausedQueues {}).await.len(), 1);
        assert!(any().await);
        assert!(db.write(ResumeQueue { queue: "Mail", namespace: None }).await);
        assert!(!any().await);
    }
}

#[test]
fn a_pause_covers_its_queue_in_its_namespace() {
    let of = |namespace| pause("mail", namespace, None).pause;
    assert!(of(None).covers("mail", "a") && of(Some("a")).covers("mail", "a"));
    assert!(!of(Some("a")).covers("mail", "b") && !of(None).covers("mails", "a"));
}
