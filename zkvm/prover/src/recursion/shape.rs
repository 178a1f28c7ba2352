//! The one shape of circuits: plonky2's standard recursion configuration, one set of gates, a degree to pad to.
//!
//! Two circuits of one shape can be verified by the same gates, given their verifier data as targets. Whether shapes
//! came out equal is checked after building, never assumed.

use plonky2::fri::reduction_strategies::FriReductionStrategy;
use plonky2::gates::exponentiation::ExponentiationGate;
use plonky2::gates::gate::GateRef;
use plonky2::gates::noop::NoopGate;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::{CircuitConfig, CircuitData, CommonCircuitData};
use zkvm_air::F;

use super::{C, D, RecursionError};

/// plonky2's permutation argument draws its challenges in the base field: two of them, as in plonky2's standard
/// configuration, give 2 (64 - log2(80 2^14)) = 87 bits for a leaf, three give 131 (`docs/prover-security.md`).
const CHALLENGES: usize = 3;

/// The fold circuit: plonky2's standard configuration with rate 1/8 but for [`CHALLENGES`], and 27 queries with 19 bits of work
/// instead of 28 with 16; 100 bits conjectured.
pub(crate) fn fold_config() -> CircuitConfig {
    let mut config = CircuitConfig::standard_recursion_config();
    config.num_challenges = CHALLENGES;
    config.fri_config.num_query_rounds = 27;
    config.fri_config.proof_of_work_bits = 19;
    config
}

/// Leaf circuits: as many bits by 26 queries and 22 bits of work, and folding stops at 64 coefficients instead of 32.
/// All of it makes a leaf of 2^14 gates and a fold cheap enough to verify that the fold circuit fits 2^13 gates.
pub(crate) fn leaf_config() -> CircuitConfig {
    let mut config = fold_config();
    config.fri_config.num_query_rounds = 26;
    config.fri_config.proof_of_work_bits = 22;
    config.fri_config.reduction_strategy = FriReductionStrategy::ConstantArityBits(4, 6);
    config
}

/// Every gate that a verifier in a circuit may need, taken from one that verifies a proof.
pub(crate) fn gates() -> Vec<GateRef<F, D>> {
    let inner = verifying(None);
    // Twice, since only the verifier of a Poseidon gate needs the gate of its matrix.
    let outer = verifying(Some(&verifying(Some(&inner.common)).common));
    let mut gates = outer.common.gates;
    // Powers of more than 15 bits, which only taller shards need.
    gates.push(GateRef::new(ExponentiationGate::new_from_config(&fold_config())));
    gates
}

fn verifying(inner: Option<&CommonCircuitData<F, D>>) -> CircuitData<F, C, D> {
    let mut builder = CircuitBuilder::<F, D>::new(fold_config());
    match inner {
        None => {
            while builder.num_gates() <= 1 << 11 {
                builder.add_gate(NoopGate, vec![]);
            }
        }
        Some(common) => {
            let proof = builder.add_virtual_proof_with_pis(common);
            let key = builder.add_virtual_verifier_data(common.config.fri_config.cap_height);
            builder.verify_proof::<C>(&proof, &key, common);
        }
    }
    builder.build::<C>()
}

/// Adds all `gates` to the set of `builder` and pads it to a degree of 2^`degree_bits`, if it is not above.
pub(crate) fn pad(builder: &mut CircuitBuilder<F, D>, gates: &[GateRef<F, D>], degree_bits: usize) {
    for gate in gates {
        builder.add_gate_to_gate_set(gate.clone());
    }
    while builder.num_gates() <= 1 << (degree_bits - 1) {
        builder.add_gate(NoopGate, vec![]);
    }
}

/// The common data of any circuit of that degree and number of public inputs.
pub(crate) fn common(
    config: CircuitConfig,
    gates: &[GateRef<F, D>],
    degree_bits: usize,
    publics: usize,
) -> CommonCircuitData<F, D> {
    let mut builder = CircuitBuilder::<F, D>::new(config);
    for _ in 0..publics {
        builder.add_virtual_public_input();
    }
    pad(&mut builder, gates, degree_bits);
    builder.build::<C>().common
}

/// `got` is of the shape `expected`, or an error that says where they part.
pub(crate) fn expect_same(
    what: &'static str,
    expected: &CommonCircuitData<F, D>,
    got: &CommonCircuitData<F, D>,
) -> Result<(), RecursionError> {
    if expected == got {
        return Ok(());
    }
    let names = |common: &CommonCircuitData<F, D>| common.gates.iter().map(|g| g.0.id()).collect::<Vec<_>>();
    let (wanted, found) = (names(expected), names(got));
    Err(RecursionError::Shape {
        reason: format!(
            "{what}: expected degree 2^{}, got 2^{}; gates too many: {:?}, missing: {:?}",
            expected.degree_bits(),
            got.degree_bits(),
            found
                .iter()
                .filter(|name| !wanted.contains(name))
                .collect::<Vec<_>>(),
            wanted
                .iter()
                .filter(|name| !found.contains(name))
                .collect::<Vec<_>>(),
        ),
    })
}
