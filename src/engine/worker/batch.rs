//! How much of what was reported one transaction records.

use crate::domain::fan_out::MAX_ITEMS;
use crate::domain::json::Json;
use crate::engine::transactions::verdict::Outcome;

/// The most bytes of JSON that one transaction records. All of it goes to PostgreSQL in one message, and at one of a
/// gigabyte the server ends the connection: as if that was lost, the same reports would be sent again for ever.
const MAX_BYTES: usize = 64 << 20;

/// How many of the outcomes, in order, make a batch of at most `most`: fewer where there are long lists among them, each
/// item of which is a step to make, or where they are large.
pub(super) fn fitting<'o>(outcomes: impl ExactSizeIterator<Item = &'o Outcome>, most: usize) -> usize {
    // The first fits alone, whatever it is.
    let first = outcomes.len().min(1);
    let (mut steps, mut bytes) = (0, 0);
    let fits = |outcome: &&Outcome| {
        steps += if let Outcome::Expanded(items) = outcome { items.len() } else { 0 };
        bytes += size(outcome);
        steps <= MAX_ITEMS && bytes <= MAX_BYTES
    };
    outcomes.take(most).take_while(fits).count().max(first)
}

/// The bytes of its JSON.
fn size(outcome: &Outcome) -> usize {
    let of = |json: &Json| json.as_str().len();
    match outcome {
        Outcome::Succeeded(made) | Outcome::Decided(made, _) | Outcome::Keyed(made) => of(made),
        Outcome::Expanded(items) => items.iter().map(of).sum(),
        Outcome::Failed(failure) => of(&failure.error),
        Outcome::Released => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use super::*;
    use crate::engine::transactions::verdict::Failure;

    fn json(bytes: usize) -> Json {
        Json::from_trusted(format!("\"{}\"", "x".repeat(bytes - 2)))
    }

    fn fit(outcomes: &[Outcome]) -> usize {
        fitting(outcomes.iter(), 4)
    }

    #[test]
    fn as_many_make_a_batch_as_it_may_have() {
        assert_eq!(fit(&[]), 0);
        assert_eq!(fit(&vec![Outcome::Released; 3]), 3);
        assert_eq!(fit(&vec![Outcome::Released; 5]), 4);
    }

    #[test]
    fn long_lists_make_it_shorter() {
        let list = |length| Outcome::Expanded(vec![Json::null(); length]);
        assert_eq!(fit(&[list(MAX_ITEMS - 1), list(1), list(1)]), 2);
        assert_eq!(fit(&[list(MAX_ITEMS + 1), Outcome::Released]), 1);
    }

    #[test]
    fn large_values_of_any_kind_make_it_shorter() {
        let third = json(MAX_BYTES / 3);
        let failure = Failure { error: third.clone(), permanent: true, retry_after: None };
        let all = [
            Outcome::Succeeded(third.clone()),
            Outcome::Decided(third.clone(), Vec::new()),
            Outcome::Expanded(vec![third.clone()]),
            Outcome::Keyed(third),
            Outcome::Failed(failure),
        ];
        for outcome in all {
            assert_eq!(fit(&vec![outcome.clone(); 3]), 3, "{:?}", discriminant(&outcome));
            assert_eq!(fit(&vec![outcome.clone(); 4]), 3, "{:?}", discriminant(&outcome));
        }
    }

    #[test]
    fn the_first_fits_whatever_it_is() {
        let large = Outcome::Succeeded(json(MAX_BYTES + 1));
        assert_eq!(fit(&[large.clone(), Outcome::Released]), 1);
        assert_eq!(fit(&[Outcome::Released, large]), 1);
    }
}
