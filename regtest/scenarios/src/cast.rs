//! Everyone who takes part in a scene, with their secrets: user, operator, watchtowers, further signers.
//!
//! One process plays all of them, but nobody reads another's secrets: keys pass between them as public sets and signatures, as
//! they would over a wire. All secrets come from one scene seed, so that a scene can be played again.

use bitcoin::XOnlyPublicKey;
use bitcoin::key::Keypair;
use bitcoin::secp256k1::Secp256k1;
use bridge::committee::{Committee, CommitteeError, Seat};
use bridge::keys::OneTimeKeys;
use bridge::terms::Party;
use ocp::keyset::KeySetError;
use ocp::{ClaimKeys, DisputeKeys, Plan, Side};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use taptree_commit::keys::{InstanceId, InstanceKeys, Seed};
use zeroize::Zeroizing;

use crate::error::SceneError;

/// A watchtower's secrets.
pub struct WatchtowerSecrets {
    /// Its own key.
    pub key: Keypair,
    seed: Seed,
}

/// All secrets of a scene.
pub struct Cast {
    /// The depositor's key.
    pub user: Keypair,
    /// The operator's own key.
    pub operator: Keypair,
    /// The watchtowers.
    pub watchtowers: Vec<WatchtowerSecrets>,
    /// The members' keys of the n-of-n: operator, watchtowers, then further signers.
    pub seats: Vec<secp256k1_musig::Keypair>,
    operator_seed: Seed,
    /// Names the claim: it enters every one-time key.
    claim: [u8; 32],
}

fn instance(claim: &[u8; 32], dispute: u8) -> InstanceId {
    let mut id = *claim;
    id[31] = dispute;
    InstanceId(id)
}

/// The instance number of the kickoff; disputes count from 0.
const KICKOFF: u8 = u8::MAX;

impl Cast {
    /// The cast of the scene with this seed: `watchtowers` watchtowers and `others` further signers.
    pub fn new(seed: [u8; 32], watchtowers: u8, others: u8) -> Cast {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let secp = Secp256k1::new();
        let mut own = || Keypair::new(&secp, &mut rng);
        let (user, operator) = (own(), own());
        let keys: Vec<Keypair> = (0..watchtowers).map(|_| own()).collect();
        let mut seed = || {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *bytes);
            Seed::new(bytes)
        };
        let operator_seed = seed();
        let watchtowers: Vec<WatchtowerSecrets> = keys
            .into_iter()
            .map(|key| WatchtowerSecrets { key, seed: seed() })
            .collect();
        let seats = (0..1 + watchtowers.len() + usize::from(others))
            .map(|_| {
                let pair = Keypair::new(&secp, &mut rng);
                secp256k1_musig::Keypair::from_secret_bytes(pair.secret_bytes())
                    .expect("a valid key of one version of the library is valid in the other")
            })
            .collect();
        let mut claim = [0; 32];
        rng.fill_bytes(&mut claim);
        Cast {
            user,
            operator,
            watchtowers,
            seats,
            operator_seed,
            claim,
        }
    }

    /// The n-of-n.
    ///
    /// # Errors
    /// None for keys drawn at random.
    pub fn committee(&self) -> Result<Committee, CommitteeError> {
        Committee::new(self.seats.iter().map(|pair| pair.public_key()).collect())
    }

    /// The operator's role.
    pub fn operator_party(&self) -> Party {
        Party {
            seat: Seat(0),
            key: x_only(&self.operator),
        }
    }

    /// The watchtowers' roles.
    pub fn watchtower_parties(&self) -> Vec<Party> {
        let seats = 1..;
        seats
            .zip(&self.watchtowers)
            .map(|(seat, w)| Party {
                seat: Seat(seat),
                key: x_only(&w.key),
            })
            .collect()
    }

    /// The operator's one-time keys of the kickoff.
    pub fn claim_keys(&self) -> InstanceKeys {
        self.operator_seed.instance(instance(&self.claim, KICKOFF))
    }

    /// The operator's one-time keys against watchtower `dispute`.
    pub fn operator_keys(&self, dispute: u8) -> InstanceKeys {
        self.operator_seed.instance(instance(&self.claim, dispute))
    }

    /// Watchtower `dispute`'s one-time keys.
    pub fn watchtower_keys(&self, dispute: u8) -> InstanceKeys {
        self.watchtowers[usize::from(dispute)]
            .seed
            .instance(instance(&self.claim, dispute))
    }

    /// The name under which both sides' one-time keys of dispute `dispute` are derived.
    pub fn instance(&self, dispute: u8) -> InstanceId {
        instance(&self.claim, dispute)
    }

    /// Everyone's public one-time keys.
    ///
    /// # Errors
    /// None for a checked plan.
    pub fn one_time_keys(&self, plan: &Plan) -> Result<OneTimeKeys, SceneError> {
        let claim = ClaimKeys::from_secret(plan, &self.claim_keys())?;
        let disputes = (0..self.watchtowers.len() as u8).map(|dispute| {
            let operator = DisputeKeys::half(plan, Side::Operator, &self.operator_keys(dispute))?;
            let watchtower = DisputeKeys::half(plan, Side::Watchtower, &self.watchtower_keys(dispute))?;
            DisputeKeys::new(plan, operator, watchtower)
        });
        let disputes = disputes.collect::<Result<_, KeySetError>>()?;
        Ok(OneTimeKeys::new(claim, disputes)?)
    }
}

/// The x coordinate of a key.
pub fn x_only(pair: &Keypair) -> XOnlyPublicKey {
    pair.x_only_public_key().0
}
