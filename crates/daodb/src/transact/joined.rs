//! Two transactions as one: what the second says is worked out on the state after the first, and
//! both are one frame.
//!
//! It is for whoever has to use an attribute in the transaction that installs it.

use datom::{Datom, Word};

use super::{Prepared, Proposal};

impl Prepared {
    /// This transaction and one that was worked out on the state after it, in one frame, which goes
    /// on where this one does.
    ///
    /// The second keeps the time of the first, and loses its own number: nothing that it says may
    /// be about itself, nor withdraw what the first one states.
    pub(crate) fn joined(self, second: Prepared) -> Prepared {
        let Proposal { mut frame, mut known, mut tempids, .. } = self.proposal;
        let moved = frame.values.len() as u64;
        // The first datom of a frame is its time.
        frame.datoms.extend(second.proposal.frame.datoms.iter().skip(1).map(|datom| {
            let tag = datom.v.tag();
            let v = match tag.is_heap() || tag.is_name() {
                true => Word::new(tag, datom.v.payload() + moved),
                false => datom.v,
            };
            Datom { v, t: frame.t, ..*datom }
        }));
        // Words of the state in between mean nothing in the one that both are applied to.
        known.extend(second.proposal.frame.values.iter().map(|_| None));
        frame.values.extend(second.proposal.frame.values);
        tempids.extend(second.proposal.tempids);
        let ensures = self.ensures.into_iter().chain(second.ensures).collect();
        let proposal = Proposal { frame, known, tempids, fits: false, schema: None };
        Prepared { proposal, ensures }
    }
}
