//! All members sign the graph: two rounds of MuSig2, messages as bytes, every member for itself.

use std::path::Path;

use bitcoin::{OutPoint, TxOut, Txid};
use bridge::claim::Claim;
use bridge::committee::Committee;
use bridge::graph::Phase;
use bridge::musig::{
    ChainView, FileJournal, Journal, JournalError, MemoryJournal, Proposal, Signer, SigningError,
};
use bridge::signatures::{SignatureError, SignatureSet};
use rand::{CryptoRng, RngCore};
use secp256k1_musig::Keypair;

use crate::error::SceneError;

/// Why the members do not sign.
#[derive(Debug, thiserror::Error)]
pub enum PresignError {
    /// A member refuses or a message is wrong.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// The members of one claim's n-of-n.
pub struct Members(Vec<Signer<Box<dyn Journal>>>);

fn new_journal(folder: Option<&Path>, seat: usize) -> Result<Box<dyn Journal>, SceneError> {
    let Some(folder) = folder else {
        return Ok(Box::new(MemoryJournal::default()));
    };
    std::fs::create_dir_all(folder).map_err(|source| SceneError::GuardFolder {
        folder: folder.into(),
        source,
    })?;
    match FileJournal::create(&folder.join(format!("member-{seat}.journal"))) {
        Ok(journal) => Ok(Box::new(journal)),
        Err(JournalError::Exists { .. }) => Err(SceneError::SeedUsed {
            folder: folder.into(),
        }),
        Err(other) => Err(PresignError::Signing(other.into()).into()),
    }
}

impl Members {
    /// The members that hold `seats`, each on a new journal: a file of its own in `folder`, made here; in memory where there is
    /// none.
    ///
    /// # Errors
    /// [`SceneError::SeedUsed`] if a member has a journal in this folder already.
    pub fn new(seats: &[Keypair], committee: &Committee, folder: Option<&Path>) -> Result<Self, SceneError> {
        let members = seats.iter().enumerate().map(|(seat, keypair)| {
            let journal = new_journal(folder, seat)?;
            Ok(Signer::new(*keypair, committee.clone(), journal).map_err(PresignError::from)?)
        });
        Ok(Members(members.collect::<Result<_, SceneError>>()?))
    }

    /// Signs one phase; every member rebuilds and compares the graph first and verifies every signature last.
    ///
    /// # Errors
    /// [`PresignError`].
    pub fn sign<R: RngCore + CryptoRng>(
        &mut self,
        claim: &Claim,
        phase: Phase,
        chain: &dyn Fn(OutPoint) -> Option<TxOut>,
        rng: &mut R,
    ) -> Result<SignatureSet, PresignError> {
        struct View<'a>(&'a dyn Fn(OutPoint) -> Option<TxOut>);
        impl ChainView for View<'_> {
            fn unspent(&self, outpoint: OutPoint) -> Option<TxOut> {
                (self.0)(outpoint)
            }

            /// The members of one claim live no longer than the claim, so they forget no graph.
            fn spender(&self, _: OutPoint) -> Option<Txid> {
                None
            }
        }
        let graph = claim.graph();
        let proposal = Proposal {
            graph: graph.id(),
            phase,
            attempt: 0,
        };
        let reviewed = self
            .0
            .iter()
            .map(|signer| {
                signer.review(
                    &proposal,
                    graph.terms(),
                    graph.nominations(),
                    claim.trees(),
                    &View(chain),
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        if phase == Phase::Deposit {
            for (signer, reviewed) in self.0.iter_mut().zip(&reviewed) {
                signer.accept(reviewed, claim.signatures())?;
            }
        }
        let (mut committed, mut nonces) = (Vec::new(), Vec::new());
        for (signer, reviewed) in self.0.iter_mut().zip(&reviewed) {
            let (state, batch) = signer.commit(reviewed, rng)?;
            committed.push(state);
            nonces.push(batch);
        }
        let (mut signed, mut shares) = (Vec::new(), Vec::new());
        for (signer, state) in self.0.iter_mut().zip(committed) {
            let (state, batch) = state.sign(signer, &nonces)?;
            signed.push(state);
            shares.push(batch);
        }
        let mut agreed = None;
        for state in signed {
            let signatures = state.finish(&shares)?;
            agreed = Some(SignatureSet::verified(graph, phase, &signatures)?);
        }
        Ok(agreed.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::Cast;

    #[test]
    fn members_do_not_begin_anew_where_they_have_a_journal() {
        let cast = Cast::new([7; 32], 2, 1);
        let committee = cast.committee().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("scene");
        let members = || Members::new(&cast.seats, &committee, Some(&folder)).map(|_| ());
        members().unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), cast.seats.len());
        assert!(matches!(members(), Err(SceneError::SeedUsed { .. })));
        // One that is left is enough.
        for seat in 1..cast.seats.len() {
            std::fs::remove_file(folder.join(format!("member-{seat}.journal"))).unwrap();
        }
        assert!(matches!(members(), Err(SceneError::SeedUsed { .. })));
    }
}
