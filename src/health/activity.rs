//! What the workers do besides answering probes. Pure.

/// What the workers have done and what waits for them, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Responses that all workers have sent since the start, UDP and TCP, those to probes included.
    pub responses: u64,
    /// Octets that wait in the receive queues of the listening UDP sockets now.
    pub receive_queue: u64,
}

/// Tells the workers' other answers from those to our own probes.
///
/// Both counts are totals, and only a new maximum of their difference is news. So it does not matter that a probe's
/// answer and the counter that tells of it are seen a moment apart: what is off in one round is made good in the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ledger {
    own: u64,
    most_others: Option<u64>,
}

impl Ledger {
    /// Takes what was seen since the last round: the workers' totals, and how many responses reached the probes (in
    /// time or late). Says whether the workers are busy: they answered others, or queries wait for them.
    pub(super) fn observe(&mut self, activity: Activity, own: u64) -> bool {
        self.own = self.own.saturating_add(own);
        let others = activity.responses.saturating_sub(self.own);
        let Some(most) = self.most_others else {
            // What was answered before the first round says nothing about the first round.
            self.most_others = Some(others);
            return activity.receive_queue > 0;
        };
        self.most_others = Some(most.max(others));
        others > most || activity.receive_queue > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(rounds: &[(u64, u64, u64)]) -> Vec<bool> {
        let mut ledger = Ledger::default();
        let observe = |&(responses, receive_queue, own): &(u64, u64, u64)| {
            ledger.observe(Activity { responses, receive_queue }, own)
        };
        rounds.iter().map(observe).collect()
    }

    #[test]
    fn own_answers_are_no_activity() {
        assert_eq!(after(&[(4, 0, 4), (8, 0, 4), (12, 0, 4), (12, 0, 0)]), [false; 4]);
    }

    #[test]
    fn one_answer_to_another_is_activity() {
        assert_eq!(after(&[(100, 0, 0), (105, 0, 4), (106, 0, 0), (106, 0, 0)]), [false, true, true, false]);
    }

    #[test]
    fn a_filled_queue_is_activity() {
        assert_eq!(after(&[(0, 512, 0), (0, 1, 0), (0, 0, 0)]), [true, true, false]);
    }

    #[test]
    fn an_answer_seen_before_its_count_is_still_our_own() {
        // In the second round four answers came back, the counters told of two.
        assert_eq!(after(&[(10, 0, 0), (12, 0, 4), (14, 0, 0), (18, 0, 4)]), [false; 4]);
    }

    #[test]
    fn a_server_that_answers_only_its_late_probes_is_idle() {
        // Nothing in time; each answer is counted and found in the round after.
        assert_eq!(after(&[(0, 0, 0), (4, 0, 4), (8, 0, 4), (12, 0, 4)]), [false; 4]);
    }
}
