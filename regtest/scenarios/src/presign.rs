//! All members sign the graph: two rounds of MuSig2, messages as bytes, every member for itself.

use bitcoin::{OutPoint, TxOut, Txid};
use bridge::claim::Claim;
use bridge::graph::Phase;
use bridge::musig::{ChainView, MemoryJournal, Proposal, Signer, SigningError};
use bridge::signatures::{SignatureError, SignatureSet};
use rand::{CryptoRng, RngCore};

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
pub struct Members(pub Vec<Signer<MemoryJournal>>);

impl Members {
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
