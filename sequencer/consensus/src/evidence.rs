//! Equivocation as consensus sees it, in the form that the token checks.

use alloy_primitives::B256;
use arc_malachitebft_app_channel::app::types::{
    MisbehaviorEvidence,
    core::{SignedProposal, SignedVote},
};
use bitcoin::secp256k1::XOnlyPublicKey;
use l2_block::{Conflict, Evidence, Signed};

use crate::{context::Tapestry, signing::verify};

fn vote(vote: &SignedVote<Tapestry>) -> Signed<l2_block::Vote> {
    Signed {
        message: vote.message.body(),
        signature: vote.signature,
    }
}

fn proposal(proposal: &SignedProposal<Tapestry>) -> Signed<l2_block::Proposal> {
    Signed {
        message: proposal.message.body(),
        signature: proposal.signature,
    }
}

/// Every conflict in what Malachite gathered. It also reports proposals of one block that differ in the earlier round they
/// name; those cost nobody anything and are left out.
#[must_use]
pub(crate) fn conflicts(gathered: &MisbehaviorEvidence<Tapestry>) -> Vec<Evidence> {
    let votes = gathered.votes.iter().flat_map(|(key, pairs)| {
        pairs.iter().map(|(first, second)| Evidence {
            key: key.0,
            conflict: Conflict::Votes(vote(first), vote(second)),
        })
    });
    let proposals = gathered.proposals.iter().flat_map(|(key, pairs)| {
        pairs.iter().map(|(first, second)| Evidence {
            key: key.0,
            conflict: Conflict::Proposals(proposal(first), proposal(second)),
        })
    });
    votes.chain(proposals).filter(Evidence::conflicts).collect()
}

/// Whether evidence proves that the holder of its key equivocated on the chain of this genesis.
#[must_use]
pub fn proves(evidence: &Evidence, genesis: &B256) -> bool {
    evidence.conflicts()
        && XOnlyPublicKey::from_slice(evidence.key.as_slice()).is_ok_and(|key| {
            evidence
                .signatures(genesis)
                .iter()
                .all(|(message, signature)| verify(message, signature, &key))
        })
}
