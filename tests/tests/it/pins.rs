//! A loser that hangs a heavy child on its late answer, in a whole game.

use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, TapTweak};
use bitcoin::secp256k1::{Message as Digest, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::{Amount, OutPoint, Sequence, Transaction, TxIn, TxOut, Witness};
use bridge::connectors::own_signature_script;
use ocp::adversary::flip_result;
use ocp::player::{Duty, Ending};
use regtest::TestNode;
use scenarios::cast::x_only;
use scenarios::play::honest;
use scenarios::report::Who;
use scenarios::stage::Nobody;

use crate::money::{self, entry};
use crate::programs;
use crate::seats;
use crate::trial::{self, Trial};

/// A child on the anchor of `parent` and `money` of `owner`, with 2,000 outputs: 86 kvB at 1 sat/vB.
fn heavy_child(parent: &Transaction, money: (OutPoint, TxOut), owner: &Keypair) -> Transaction {
    let anchor = OutPoint {
        txid: parent.compute_txid(),
        vout: parent.output.len() as u32 - 1,
    };
    let prevouts = [parent.output.last().unwrap().clone(), money.1];
    let input = |previous_output| TxIn {
        previous_output,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        ..TxIn::default()
    };
    let dust = TxOut {
        value: Amount::from_sat(330),
        script_pubkey: own_signature_script(x_only(owner)),
    };
    let mut child = Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![input(anchor), input(money.0)],
        output: vec![dust; 2_000],
    };
    let spent: Amount = prevouts.iter().map(|out| out.value).sum();
    child.output[0].value = spent - Amount::from_sat(330 * 1_999) - Amount::from_sat(86_300);
    let secp = Secp256k1::new();
    let tweaked = owner.tap_tweak(&secp, None).to_keypair();
    for index in 0..2 {
        let sighash = SighashCache::new(&child)
            .taproot_key_spend_signature_hash(index, &Prevouts::All(&prevouts), TapSighashType::Default)
            .unwrap();
        let signature =
            secp.sign_schnorr_no_aux_rand(&Digest::from_digest(sighash.to_byte_array()), &tweaked);
        child.input[index].witness = Witness::from_slice(&[signature.serialize()]);
    }
    child
}

#[test]
fn a_watchtower_outbids_a_late_answer_that_its_sender_pins() {
    let mut node = TestNode::start().unwrap();
    let trial = Trial::new(programs::sums(), 7, &[8, 4, 4], &[9, 46]);
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "pinned answer");
    let liar = stage.cast.operator;
    let script = own_signature_script(x_only(&liar));
    let funded = stage.node.fund(script, Amount::from_sat(2_000_000)).unwrap();
    let policies = vec![honest(&stage, 0, &trial.program)];
    let run = trial.liar(flip_result(41, 3));
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    // It keeps its answer to the challenge back until the deadline has passed, and the watchtower sleeps a block too long.
    let silent = |who: Who, duty: &Duty| {
        who == Who::Operator
            && matches!(duty, Duty::Send { content, .. } if content.message() != ocp::Message::Kickoff)
            || matches!(duty, Duty::Timeout { .. })
    };
    let message = u32::from(game.stage.deadlines.message);
    seats::play_until(&mut game, silent, |game| {
        let log = game.operator.player.log();
        log.challenged(0) && log.ripe(log.last(0).unwrap().height, message as u16)
    });
    let (_, answer) = game.operator.moves(game.stage).unwrap().remove(0);
    let child = heavy_child(&answer, (funded.outpoint, funded.txout), &liar);
    game.stage.send(Who::Operator, &answer).unwrap();
    game.stage.node.chain().accept(&child).unwrap();
    // Now both act: the answer is there already, and the lowest tier of the timeout cannot replace it.
    game.act(seats::nobody_absent).unwrap();
    let mempool = game.stage.node.chain().mempool().unwrap();
    assert_eq!(mempool.len(), 1, "the timeout stands alone");
    assert!(!mempool.contains(&answer.compute_txid()));
    // Again and again, until it confirms.
    game.act(|who, _| who == Who::Operator).unwrap();
    assert_eq!(game.stage.node.chain().mempool().unwrap(), mempool);
    game.mine(&mut Nobody).unwrap();
    assert_eq!(
        seats::endings(&game),
        [Some(Ending::OperatorLate { burned: true })]
    );
    let timeline = game.stage.timeline();
    let late = entry(timeline, "OperatorLate after Challenge");
    assert!(
        late.fee > Amount::from_sat(100_000),
        "a higher tier: {}",
        late.fee
    );
    money::assert_stake_lost(game.stage, late, 0);
    money::assert_claim_burned(game.stage);
}
