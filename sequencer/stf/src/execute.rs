//! Whether a block is valid, and what it changes.

use alloy_consensus::transaction::SignerRecoverable;
use alloy_primitives::{Address, B256};
use l2_block::{Block, Header, L1Block};

use crate::run::{Opening, Run, Stop};
use crate::{ExecuteError, Executed, Invalid, Receipt, Refused, Spec, StateView, TxError, decode};

/// Executes a block over the state after `parent`. `l1` are the Bitcoin blocks after the parent's origin up to the block's.
/// `senders` are those of the block's transactions if the caller recovered them already: it vouches for them.
///
/// Everything is checked but the state root, which [`check_state_root`] does when the tree is updated.
///
/// # Errors
/// If the block is invalid, or the state could not be read.
pub fn execute<V: StateView>(
    spec: &Spec,
    view: V,
    parent: &Header,
    block: &Block,
    l1: &[L1Block],
    senders: Option<&[Address]>,
) -> Result<Executed, ExecuteError<V::Error>> {
    let header = &block.header;
    check_parent(parent, header)?;
    if let Some(senders) = senders
        && senders.len() != block.transactions.len()
    {
        return Err(Invalid::Senders {
            got: senders.len(),
            expected: block.transactions.len(),
        }
        .into());
    }
    let opening = Opening {
        timestamp_ms: header.timestamp_ms,
        origin: header.origin,
        round: header.round,
        proposer: header.proposer,
        base_fee: header.base_fee,
        data_fee: header.data_fee,
    };
    let mut run = Run::start(spec, view, parent, &opening, l1)?;
    run.take_forced(header.forced)?;
    for (index, bytes) in block.transactions.iter().enumerate() {
        let invalid = |reason: Refused| Invalid::Transaction { index, reason };
        let tx = decode(bytes, spec.chain_id).map_err(|error| invalid(error.into()))?;
        let sender = match senders {
            Some(senders) => senders[index],
            None => tx
                .recover_signer()
                .map_err(|_| invalid(TxError::Signature.into()))?,
        };
        run.transact(&tx, bytes.len(), sender)
            .map_err(|stop| match stop {
                Stop::Refused(reason) => ExecuteError::Invalid(invalid(reason)),
                Stop::State(error) => ExecuteError::State(error),
            })?;
    }
    let executed = run.finish();
    check_roots(block, &executed)?;
    Ok(executed)
}

fn check_parent(parent: &Header, header: &Header) -> Result<(), Invalid> {
    let expected = parent.number.saturating_add(1);
    if header.number != expected {
        return Err(Invalid::Number {
            got: header.number,
            expected,
        });
    }
    let expected = parent.hash();
    if header.parent != expected {
        return Err(Invalid::Parent {
            got: header.parent,
            expected,
        });
    }
    Ok(())
}

/// Rule 8, but for the state root.
fn check_roots(block: &Block, executed: &Executed) -> Result<(), Invalid> {
    let header = &block.header;
    if header.gas_used != executed.gas_used {
        return Err(Invalid::GasUsed {
            got: header.gas_used,
            expected: executed.gas_used,
        });
    }
    let expected = Block::transactions_root(&block.transactions);
    if header.transactions_root != expected {
        return Err(Invalid::TransactionsRoot {
            got: header.transactions_root,
            expected,
        });
    }
    let expected = Receipt::root(&executed.receipts);
    if header.receipts_root != expected {
        return Err(Invalid::ReceiptsRoot {
            got: header.receipts_root,
            expected,
        });
    }
    Ok(())
}

/// Rule 8: the state root is that of the tree after the block's changes ([`crate::apply`]).
///
/// # Errors
/// If it is not.
pub fn check_state_root(header: &Header, root: &B256) -> Result<(), Invalid> {
    if header.state_root == *root {
        Ok(())
    } else {
        Err(Invalid::StateRoot {
            got: header.state_root,
            expected: *root,
        })
    }
}
