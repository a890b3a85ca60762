//! The receipts under which a worker holds steps: how many steps of each are still to be settled,
//! so that one is deleted with its last.

use std::collections::HashMap;

use crate::domain::id::ReceiptId;

/// See the module.
#[derive(Default)]
pub(super) struct Receipts {
    unsettled: HashMap<ReceiptId, usize>,
    /// Nothing of them is to be settled, and they are still to be deleted.
    empty: Vec<ReceiptId>,
    /// Those that a commit without an answer may have written.
    doubtful: Vec<ReceiptId>,
}

impl Receipts {
    /// A step of this receipt came in.
    pub(super) fn add(&mut self, receipt: ReceiptId) {
        *self.unsettled.entry(receipt).or_default() += 1;
    }

    /// A step of it will never be reported: others have moved it.
    pub(super) fn forgo(&mut self, receipt: ReceiptId) {
        if self.settle(receipt) {
            self.empty.push(receipt);
        }
    }

    /// Takes one step off; whether it was the last.
    fn settle(&mut self, receipt: ReceiptId) -> bool {
        let Some(left) = self.unsettled.get_mut(&receipt) else { return false };
        *left -= 1;
        let last = *left == 0;
        if last {
            self.unsettled.remove(&receipt);
        }
        last
    }

    /// Has the next round look whether this receipt was written.
    pub(super) fn doubt(&mut self, receipt: ReceiptId) {
        self.doubtful.push(receipt);
    }

    pub(super) fn doubtful(&self) -> Vec<ReceiptId> {
        self.doubtful.clone()
    }

    /// Whether there is something to do for them, though nothing is reported.
    pub(super) fn are_due(&self) -> bool {
        !self.doubtful.is_empty() || !self.empty.is_empty()
    }

    /// Those with nothing to settle once these reports are.
    pub(super) fn finished_by(&self, reported: impl Iterator<Item = ReceiptId>) -> Vec<ReceiptId> {
        let mut settled: HashMap<ReceiptId, usize> = HashMap::new();
        for receipt in reported {
            *settled.entry(receipt).or_default() += 1;
        }
        let finished = settled.into_iter().filter(|(id, n)| self.unsettled.get(id).is_none_or(|left| left <= n));
        finished.map(|(id, _)| id).chain(self.empty.iter().copied()).collect()
    }

    /// Takes what was committed off the books. A receipt may have lost its other steps since the commit began,
    /// which then did not delete it.
    pub(super) fn settled(
        &mut self,
        reported: impl Iterator<Item = ReceiptId>,
        finished: &[ReceiptId],
        doubtful: &[ReceiptId],
    ) {
        self.doubtful.retain(|receipt| !doubtful.contains(receipt));
        self.empty.retain(|receipt| !finished.contains(receipt));
        for receipt in reported {
            if self.settle(receipt) && !finished.contains(&receipt) {
                self.empty.push(receipt);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_loses_its_last_step_while_the_others_are_committed_is_deleted_next() {
        let receipt = ReceiptId::generate();
        let mut receipts = Receipts::default();
        receipts.add(receipt);
        receipts.add(receipt);
        let finished = receipts.finished_by([receipt].into_iter());
        assert_eq!(finished, [], "another step is left");
        receipts.forgo(receipt);
        assert!(!receipts.are_due(), "one is being committed");
        receipts.settled([receipt].into_iter(), &finished, &[]);
        assert_eq!(receipts.finished_by(std::iter::empty()), [receipt]);
        receipts.settled(std::iter::empty(), &[receipt], &[]);
        assert!(!receipts.are_due());
    }
}
