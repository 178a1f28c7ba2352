//! One signer's side of a signing session.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bitcoin::secp256k1::schnorr;
use bitcoin::{OutPoint, TxOut, Txid};
use rand::{CryptoRng, RngCore};
use rayon::prelude::*;
use secp256k1_musig::Keypair;
use secp256k1_musig::musig::{
    AggregatedNonce, KeyAggCache, PartialSignature, PublicNonce, SecretNonce, Session, SessionSecretRand,
    new_nonce_pair,
};
use zeroize::Zeroizing;

use super::entry::{Entry, ReleasedGraph};
use super::error::SigningError;
use super::journal::Journal;
use super::released::Released;
use super::wire::{NonceBatch, PartialBatch, Proposal, SessionId, WireError, transcript};
use crate::committee::{Committee, Seat, SigningKey};
use crate::dispute::DisputeTrees;
use crate::graph::{Graph, GraphId, Phase, SigningJob};
use crate::signatures::{SignatureError, SignatureSet, verify_job};
use crate::terms::{Nominations, Terms};

/// What a signer sees of the chain.
pub trait ChainView {
    /// The unspent, sufficiently confirmed output at `outpoint`.
    fn unspent(&self, outpoint: OutPoint) -> Option<TxOut>;

    /// The transaction that spends `outpoint`, buried so deeply that the signer stakes deposits on it; `None` before that,
    /// or if the view does not follow spends (then no graph is ever forgotten by it).
    fn spender(&self, outpoint: OutPoint) -> Option<Txid>;
}

/// A graph that a signer built for itself and found to be the proposed one.
#[derive(Clone, Debug)]
pub struct ReviewedGraph {
    graph: Graph,
    proposal: Proposal,
    released: ReleasedGraph,
}

impl ReviewedGraph {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// A member of the n-of-n.
pub struct Signer<J> {
    seat: Seat,
    keypair: Keypair,
    committee: Committee,
    journal: J,
    /// What the journal says.
    released: Released,
    /// Graphs whose every signature this signer verified. Not in the journal: after a restart the signatures are to be shown
    /// again, which proves that they are still there.
    accepted: BTreeSet<GraphId>,
    /// Graphs that were announced for a deposit, by deposit request.
    required: BTreeMap<OutPoint, BTreeSet<GraphId>>,
}

impl<J: Journal> Signer<J> {
    /// The member of `committee` that holds `keypair`, and that has let out what `journal` says.
    ///
    /// # Errors
    ///
    /// [`SigningError::NotAMember`].
    pub fn new(keypair: Keypair, committee: Committee, journal: J) -> Result<Self, SigningError> {
        let own = keypair.public_key();
        let seat = committee
            .members()
            .iter()
            .position(|key| *key == own)
            .ok_or(SigningError::NotAMember)?;
        let seat = Seat(u16::try_from(seat).map_err(|_| SigningError::NotAMember)?);
        let released = Released::replay(journal.entries());
        let (accepted, required) = Default::default();
        Ok(Signer {
            seat,
            keypair,
            committee,
            journal,
            released,
            accepted,
            required,
        })
    }

    /// Its seat.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// Builds the graph from the signer's own copy of the parameters and compares it with the proposal, the chain and the
    /// graphs for which shares were released before.
    ///
    /// # Errors
    ///
    /// [`SigningError`]: parameters that do not hold, another committee, another graph, an outpoint that does not hold
    /// what the quote says, a graph that meets a live one or has its one-time keys.
    pub fn review(
        &self,
        proposal: &Proposal,
        terms: &Terms,
        nominations: &Nominations,
        trees: &dyn DisputeTrees,
        chain: &dyn ChainView,
    ) -> Result<ReviewedGraph, SigningError> {
        if terms.committee.members() != self.committee.members() {
            return Err(SigningError::OtherCommittee);
        }
        let graph = Graph::build(terms, nominations, trees)?;
        if graph.id() != proposal.graph {
            return Err(SigningError::OtherGraph {
                expected: graph.id(),
                got: proposal.graph,
            });
        }
        let quote = graph.blueprint().quote();
        let expected = core::iter::once(&quote.deposit_request)
            .chain(&quote.claim)
            .chain(&quote.bonds);
        for (outpoint, expected) in nominations.all().zip(expected) {
            let got = chain.unspent(outpoint);
            if got.as_ref() != Some(expected) {
                return Err(SigningError::Outpoint {
                    outpoint,
                    expected: expected.clone(),
                    got,
                });
            }
        }
        let released = ReleasedGraph::new(&graph, trees.one_time());
        self.released.check_disjoint(&released)?;
        Ok(ReviewedGraph {
            graph,
            proposal: *proposal,
            released,
        })
    }

    /// Makes the deposit of `deposit_request` wait for `graph`, which another operator announced: after the deposit it could
    /// not be signed any more. Graphs for which this signer released shares are waited for without it. Not in the journal.
    pub fn require(&mut self, deposit_request: OutPoint, graph: GraphId) {
        self.required.entry(deposit_request).or_default().insert(graph);
    }

    /// The live graphs for which this signer released shares, of all deposit requests.
    pub fn live(&self) -> impl Iterator<Item = &ReleasedGraph> {
        self.released.live()
    }

    /// Forgets a graph that the chain shows to be dead: its outpoints may be nominated again, and its deposit request's deposit
    /// no longer waits for it. Its one-time keys stay used.
    ///
    /// It is dead when an outpoint of the operator or the deposit request went to a transaction that is not the graph's, or
    /// the vault is spent. A watchtower that has handed out a signed challenge of the graph does not nominate that bond again:
    /// the challenge may still confirm.
    ///
    /// # Errors
    ///
    /// [`SigningError::UnknownGraph`], [`SigningError::GraphAlive`], [`SigningError::Journal`].
    pub fn forget(&mut self, graph: GraphId, chain: &dyn ChainView) -> Result<(), SigningError> {
        self.released.check_dead(graph, chain)?;
        let entry = Entry::Forgotten { graph };
        self.journal.record(&entry)?;
        self.released.apply(entry);
        self.accepted.remove(&graph);
        Ok(())
    }

    /// Verifies every signature of the graph but the deposit's. Only then will this signer sign the deposit.
    ///
    /// The caller keeps `signatures` where they survive a crash *before* it calls this: they are all that a watchtower has
    /// against a false claim.
    ///
    /// # Errors
    ///
    /// [`SignatureError`].
    pub fn accept(
        &mut self,
        reviewed: &ReviewedGraph,
        signatures: &SignatureSet,
    ) -> Result<(), SignatureError> {
        signatures.verify(&reviewed.graph, Phase::Graph)?;
        self.accepted.insert(reviewed.graph.id());
        Ok(())
    }

    /// First round: fresh nonces, recorded before they are handed out.
    ///
    /// # Errors
    ///
    /// [`SigningError`]: a session that was used before, a graph that meets a live one, a deposit whose graphs are not all
    /// signed, a journal that failed.
    pub fn commit<R: RngCore + CryptoRng>(
        &mut self,
        reviewed: &ReviewedGraph,
        rng: &mut R,
    ) -> Result<(Committed, Vec<u8>), SigningError> {
        let ReviewedGraph {
            graph,
            proposal,
            released,
        } = reviewed;
        let release = match proposal.phase {
            Phase::Graph => Release::Graph(released.clone()),
            Phase::Deposit => Release::Deposit {
                request: graph.nominations().deposit_request,
                graph: graph.id(),
            },
        };
        self.check(&release)?;
        let session = proposal.session();
        let jobs = graph.jobs(proposal.phase);
        let keys = key_cache(&self.committee, &jobs);
        let seeds: Vec<Zeroizing<[u8; 32]>> = jobs
            .iter()
            .map(|_| {
                let mut seed = Zeroizing::new([0; 32]);
                rng.fill_bytes(seed.as_mut());
                seed
            })
            .collect();
        let secret = self.keypair.secret_key();
        let (nonces, public): (Vec<BoundNonce>, Vec<PublicNonce>) = jobs
            .par_iter()
            .zip(seeds)
            .map(|(job, seed)| {
                // Bound to this signer, the aggregated key, the message and the session.
                let (nonce, public) = new_nonce_pair(
                    SessionSecretRand::assume_unique_per_nonce_gen(*seed, &secret),
                    Some(&keys[&job.key]),
                    Some(secret),
                    self.keypair.public_key(),
                    Some(&job.sighash),
                    Some(session.0),
                );
                (
                    BoundNonce {
                        session,
                        sighash: job.sighash,
                        nonce: Some(nonce),
                    },
                    public,
                )
            })
            .unzip();
        self.journal.record(&Entry::Nonces { session })?;
        let batch = NonceBatch::new(session, self.seat, public, &self.keypair);
        let bytes = batch.encode();
        Ok((
            Committed {
                session,
                release,
                jobs,
                keys,
                nonces,
                own: batch,
            },
            bytes,
        ))
    }

    /// Whether the shares may leave.
    fn check(&self, release: &Release) -> Result<(), SigningError> {
        match release {
            Release::Graph(graph) => self.released.check_graph(graph),
            Release::Deposit { request, graph } => {
                let announced = self.required.get(request).into_iter().flatten();
                if let Some(missing) = announced.chain([graph]).find(|id| !self.accepted.contains(*id)) {
                    return Err(SigningError::GraphNotSigned { graph: *missing });
                }
                self.released.check_deposit(*request, &self.accepted)
            }
        }
    }
}

/// What the shares of a session will be of.
enum Release {
    Graph(ReleasedGraph),
    Deposit { request: OutPoint, graph: GraphId },
}

impl Release {
    fn entry(self, session: SessionId) -> Entry {
        match self {
            Release::Graph(graph) => Entry::GraphShares { session, graph },
            Release::Deposit { request, .. } => Entry::DepositShares { session, request },
        }
    }
}

/// A secret nonce and the one message of the one session it may sign. Moved into its use; neither copied nor stored, and
/// erased if it is never used.
struct BoundNonce {
    session: SessionId,
    sighash: [u8; 32],
    /// Taken by its use.
    nonce: Option<SecretNonce>,
}

impl Drop for BoundNonce {
    fn drop(&mut self) {
        if let Some(nonce) = &mut self.nonce {
            nonce.non_secure_erase();
        }
    }
}

impl BoundNonce {
    /// # Panics
    ///
    /// Never in this module: nonces and jobs are kept in the same order. If that broke, signing must stop.
    fn sign(
        mut self,
        session: SessionId,
        job: &SigningJob,
        musig: &Session,
        pair: &Keypair,
        key: &KeyAggCache,
    ) -> PartialSignature {
        assert!(
            self.session == session && self.sighash == job.sighash,
            "a nonce serves the message it was drawn for"
        );
        let nonce = self
            .nonce
            .take()
            .expect("signing consumes the only owner of the nonce");
        musig.partial_sign(nonce, pair, key)
    }
}

/// A signer that has handed out its nonces. There is no way back: it is consumed by [`Committed::sign`].
///
/// ```compile_fail
/// fn twice(committed: bridge::musig::Committed) {
///     let one = committed;
///     let two = committed;
/// }
/// ```
pub struct Committed {
    session: SessionId,
    release: Release,
    jobs: Vec<SigningJob>,
    keys: HashMap<SigningKey, KeyAggCache>,
    nonces: Vec<BoundNonce>,
    own: NonceBatch,
}

impl Committed {
    /// Second round: shares under everyone's nonces (the signer's own included), recorded before they are handed out.
    ///
    /// What forbids the graph or the deposit is asked again: another session may have released shares since the first round.
    ///
    /// # Errors
    ///
    /// [`SigningError`]: a batch that is malformed, missing, doubled or of another session; a session whose shares left
    /// before; a graph or deposit as [`Signer::commit`] refuses; a journal that failed. The nonces are gone in any case.
    pub fn sign<J: Journal>(
        self,
        signer: &mut Signer<J>,
        batches: &[Vec<u8>],
    ) -> Result<(Signed, Vec<u8>), SigningError> {
        let Committed {
            session,
            release,
            jobs,
            keys,
            nonces,
            own,
        } = self;
        let committee = signer.committee.clone();
        let batches = decode_all(batches, &committee, NonceBatch::decode)?;
        let batches = by_seat(batches, &committee, session, jobs.len(), |b| {
            (b.session, b.seat, b.nonces.len())
        })?;
        if batches[signer.seat.index()].nonces != own.nonces {
            return Err(SigningError::OwnNoncesReplaced);
        }
        let sessions: Vec<Session> = jobs
            .par_iter()
            .enumerate()
            .map(|(index, job)| {
                let nonces: Vec<&PublicNonce> = batches.iter().map(|batch| &batch.nonces[index]).collect();
                Session::new(&keys[&job.key], AggregatedNonce::new(&nonces), &job.sighash)
            })
            .collect();
        signer.check(&release)?;
        let entry = release.entry(session);
        signer.journal.record(&entry)?;
        signer.released.apply(entry);
        let keypair = &signer.keypair;
        let shares: Vec<PartialSignature> = nonces
            .into_par_iter()
            .zip(&jobs)
            .zip(&sessions)
            .map(|((nonce, job), musig)| nonce.sign(session, job, musig, keypair, &keys[&job.key]))
            .collect();
        let transcript = transcript(&batches);
        let batch = PartialBatch::new(session, signer.seat, transcript, shares, keypair);
        let bytes = batch.encode();
        Ok((
            Signed {
                session,
                committee,
                jobs,
                keys,
                batches,
                sessions,
                transcript,
            },
            bytes,
        ))
    }
}

/// A signer that has handed out its shares.
pub struct Signed {
    session: SessionId,
    committee: Committee,
    jobs: Vec<SigningJob>,
    keys: HashMap<SigningKey, KeyAggCache>,
    batches: Vec<NonceBatch>,
    sessions: Vec<Session>,
    transcript: [u8; 32],
}

impl Signed {
    /// Aggregates everyone's shares (the signer's own included); every signature returned is valid under BIP-340.
    ///
    /// The fast way verifies the aggregate; where that fails, every share is verified to find whose is wrong.
    ///
    /// # Errors
    ///
    /// [`SigningError`]: a batch that is malformed, missing, doubled or of another session, members that saw different
    /// nonces, or the member whose share is wrong.
    pub fn finish(&self, batches: &[Vec<u8>]) -> Result<Vec<schnorr::Signature>, SigningError> {
        let batches = decode_all(batches, &self.committee, PartialBatch::decode)?;
        let shape = |b: &PartialBatch| (b.session, b.seat, b.shares.len());
        let batches = by_seat(batches, &self.committee, self.session, self.jobs.len(), shape)?;
        if let Some(batch) = batches.iter().find(|batch| batch.transcript != self.transcript) {
            return Err(SigningError::NoncesDiffer { seat: batch.seat });
        }
        self.jobs
            .par_iter()
            .enumerate()
            .map(|(index, job)| {
                let shares: Vec<&PartialSignature> =
                    batches.iter().map(|batch| &batch.shares[index]).collect();
                let aggregated = self.sessions[index].partial_sig_agg(&shares).assume_valid();
                let signature = schnorr::Signature::from_slice(&aggregated.to_byte_array())
                    .expect("a signature has 64 bytes");
                match verify_job(&self.committee, job, &signature) {
                    Ok(()) => Ok(signature),
                    Err(_) => Err(self.blame(index, job, &shares)),
                }
            })
            .collect()
    }

    fn blame(&self, index: usize, job: &SigningJob, shares: &[&PartialSignature]) -> SigningError {
        let SigningJob { tx, input, leaf, .. } = *job;
        let wrong = self.batches.iter().zip(shares).find(|(batch, share)| {
            let key = self.committee.members()[batch.seat.index()];
            !self.sessions[index].partial_verify(&self.keys[&job.key], share, &batch.nonces[index], key)
        });
        match wrong {
            Some((batch, _)) => SigningError::WrongShare {
                seat: batch.seat,
                tx,
                input,
                leaf,
            },
            None => SigningError::Aggregate { tx, input, leaf },
        }
    }
}

fn key_cache(committee: &Committee, jobs: &[SigningJob]) -> HashMap<SigningKey, KeyAggCache> {
    let keys: BTreeSet<SigningKey> = jobs.iter().map(|job| job.key).collect();
    keys.into_iter()
        .map(|key| (key, committee.key_agg(key)))
        .collect()
}

fn decode_all<T>(
    batches: &[Vec<u8>],
    committee: &Committee,
    decode: fn(&[u8], &Committee) -> Result<T, WireError>,
) -> Result<Vec<T>, SigningError> {
    batches
        .iter()
        .map(|bytes| decode(bytes, committee).map_err(SigningError::Wire))
        .collect()
}

/// Exactly one batch of each seat, of this session, with one item a job; in the order of seats.
fn by_seat<T>(
    batches: Vec<T>,
    committee: &Committee,
    session: SessionId,
    jobs: usize,
    shape: impl Fn(&T) -> (SessionId, Seat, usize),
) -> Result<Vec<T>, SigningError> {
    let mut seats: BTreeMap<Seat, T> = BTreeMap::new();
    for batch in batches {
        let (got, seat, items) = shape(&batch);
        if got != session {
            return Err(SigningError::OtherSession {
                seat,
                expected: session,
                got,
            });
        }
        if items != jobs {
            return Err(SigningError::Items {
                seat,
                expected: jobs,
                got: items,
            });
        }
        if seats.insert(seat, batch).is_some() {
            return Err(SigningError::Doubled { seat });
        }
    }
    for index in 0..committee.members().len() {
        let seat = Seat(index as u16);
        if !seats.contains_key(&seat) {
            return Err(SigningError::Absent { seat });
        }
    }
    Ok(seats.into_values().collect())
}
