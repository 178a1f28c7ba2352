//! What a mempool says about transactions.
//!
//! Invariant: an answer reads as acceptance only if it names the transaction asked about and says so without
//! an error beside it; anything odd is [`RpcError::Malformed`].

use std::collections::BTreeMap;
use std::fmt;

use bitcoin::{Amount, Transaction, Txid, Wtxid};
use serde::Deserialize;
use serde_json::Value;

use crate::rpc::RpcError;

/// A transaction that the mempool takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub txid: Txid,
    /// Its virtual size in vbytes, as policy counts it.
    pub vsize: u64,
    /// The fee that it pays itself.
    pub fee: Amount,
}

/// A parent and a child that the mempool took together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedPackage {
    /// The parent.
    pub parent: Accepted,
    /// The child that pays for it.
    pub child: Accepted,
}

/// A transaction that the mempool refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its id.
    pub txid: Txid,
    /// Why, in Bitcoin Core's words, such as `min relay fee not met` or
    /// `mempool-script-verify-flag-failed (Locktime requirement not satisfied)`.
    pub reason: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction {}: {}", self.txid, self.reason)
    }
}

/// Whether the mempool would take a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It would.
    Accepted(Accepted),
    /// It would not.
    Rejected(Rejection),
}

#[derive(Deserialize)]
struct Fees {
    #[serde(with = "bitcoin::amount::serde::as_btc")]
    base: Amount,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TestResult {
    txid: Txid,
    allowed: Option<bool>,
    vsize: Option<u64>,
    fees: Option<Fees>,
    reject_reason: Option<String>,
    reject_details: Option<String>,
    package_error: Option<String>,
}

/// Reads the answer of `testmempoolaccept` about one transaction.
pub(crate) fn verdict(answer: &Value, txid: Txid) -> Result<Verdict, RpcError> {
    let malformed = |reason: &str| RpcError::Malformed {
        call: "testmempoolaccept".into(),
        reason: format!("{reason}: {answer}"),
    };
    let results: Vec<TestResult> =
        Deserialize::deserialize(answer).map_err(|e: serde_json::Error| malformed(&e.to_string()))?;
    let [result] = results.as_slice() else {
        return Err(malformed("expected one result"));
    };
    if result.txid != txid {
        return Err(malformed(&format!("expected transaction {txid}")));
    }
    match (result.allowed, result.vsize, &result.fees) {
        (Some(true), Some(vsize), Some(fees)) => Ok(Verdict::Accepted(Accepted {
            txid,
            vsize,
            fee: fees.base,
        })),
        (Some(true), ..) => Err(malformed("allowed without size and fee")),
        (Some(false) | None, ..) => {
            // The details hold the reason where there are both.
            let reason = [
                &result.reject_details,
                &result.reject_reason,
                &result.package_error,
            ];
            let reason = reason
                .into_iter()
                .flatten()
                .next()
                .ok_or_else(|| malformed("no reason"))?;
            Ok(Verdict::Rejected(Rejection {
                txid,
                reason: reason.clone(),
            }))
        }
    }
}

#[derive(Deserialize)]
struct PackageResult {
    package_msg: String,
    #[serde(rename = "tx-results")]
    tx_results: BTreeMap<Wtxid, PackageTx>,
}

#[derive(Deserialize)]
struct PackageTx {
    txid: Txid,
    vsize: Option<u64>,
    fees: Option<Fees>,
    error: Option<String>,
}

/// Reads the answer of `submitpackage` about a parent and its child.
pub(crate) fn package_verdict(
    answer: &Value,
    parent: &Transaction,
    child: &Transaction,
) -> Result<Result<AcceptedPackage, Rejection>, RpcError> {
    let malformed = |reason: &str| RpcError::Malformed {
        call: "submitpackage".into(),
        reason: format!("{reason}: {answer}"),
    };
    let result: PackageResult =
        Deserialize::deserialize(answer).map_err(|e: serde_json::Error| malformed(&e.to_string()))?;
    // A child fails for want of its parent, so the parent's reason comes first.
    let mut refusal: Option<Rejection> = None;
    let mut accepted = Vec::new();
    for tx in [parent, child] {
        let txid = tx.compute_txid();
        let Some(of_tx) = result
            .tx_results
            .get(&tx.compute_wtxid())
            .filter(|r| r.txid == txid)
        else {
            if result.package_msg == "success" {
                return Err(malformed(&format!("no result for transaction {txid}")));
            }
            continue;
        };
        match (&of_tx.error, of_tx.vsize, &of_tx.fees) {
            (Some(error), ..) => {
                let worse = refusal
                    .as_ref()
                    .is_none_or(|r| r.reason == "package-not-validated");
                if worse {
                    refusal = Some(Rejection {
                        txid,
                        reason: error.clone(),
                    });
                }
            }
            (None, Some(vsize), Some(fees)) => accepted.push(Accepted {
                txid,
                vsize,
                fee: fees.base,
            }),
            (None, ..) => {
                return Err(malformed(&format!(
                    "neither error nor fee for transaction {txid}"
                )));
            }
        }
    }
    match (refusal, result.package_msg.as_str(), accepted.as_slice()) {
        (None, "success", &[parent, child]) => Ok(Ok(AcceptedPackage { parent, child })),
        (Some(refusal), ..) => Ok(Err(refusal)),
        (None, reason, _) => Ok(Err(Rejection {
            txid: child.compute_txid(),
            reason: format!("package: {reason}"),
        })),
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{Sequence, TxIn, absolute::LockTime, transaction::Version};
    use serde_json::json;

    use super::*;

    fn tx(sequence: u32) -> Transaction {
        let input = TxIn {
            sequence: Sequence(sequence),
            ..TxIn::default()
        };
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![],
        }
    }

    #[test]
    fn reads_acceptance() {
        let txid = tx(0).compute_txid();
        let answer = json!([{"txid": txid, "wtxid": txid, "allowed": true, "vsize": 111,
            "fees": {"base": 0.00001234, "effective-feerate": 0.001}}]);
        let expected = Accepted {
            txid,
            vsize: 111,
            fee: Amount::from_sat(1234),
        };
        assert_eq!(verdict(&answer, txid).unwrap(), Verdict::Accepted(expected));
    }

    #[test]
    fn reads_refusal_with_details_first() {
        let txid = tx(0).compute_txid();
        let answer =
            json!([{"txid": txid, "allowed": false, "reject-reason": "a", "reject-details": "a, b"}]);
        let Verdict::Rejected(rejection) = verdict(&answer, txid).unwrap() else {
            panic!()
        };
        assert_eq!(rejection.reason, "a, b");
        let answer = json!([{"txid": txid, "allowed": false, "reject-reason": "a"}]);
        let Verdict::Rejected(rejection) = verdict(&answer, txid).unwrap() else {
            panic!()
        };
        assert_eq!(rejection.to_string(), format!("transaction {txid}: a"));
    }

    #[test]
    fn odd_answers_are_no_acceptance() {
        let (txid, other) = (tx(0).compute_txid(), tx(1).compute_txid());
        for answer in [
            json!([]),
            json!({}),
            json!(null),
            json!([{"txid": other, "allowed": true, "vsize": 1, "fees": {"base": 0}}]),
            json!([{"txid": txid, "allowed": true}]),
            json!([{"txid": txid, "allowed": true, "vsize": -1, "fees": {"base": 0}}]),
            json!([{"txid": txid, "allowed": true, "vsize": 1, "fees": {"base": -1}}]),
            json!([{"txid": txid, "allowed": false}]),
            json!([{"txid": txid}]),
            json!([{"txid": txid, "allowed": true, "vsize": 1, "fees": {"base": 0}}, {"txid": txid}]),
        ] {
            assert!(
                matches!(verdict(&answer, txid), Err(RpcError::Malformed { .. })),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_package_counts_only_whole() {
        let (parent, child) = (tx(0), tx(1));
        let ok =
            |tx: &Transaction| json!({"txid": tx.compute_txid(), "vsize": 10, "fees": {"base": 0.00000001}});
        let no = |tx: &Transaction, why: &str| json!({"txid": tx.compute_txid(), "error": why});
        let answer = |message: &str, results: &[(&Transaction, Value)]| {
            let results: serde_json::Map<String, Value> = results
                .iter()
                .map(|(tx, r)| (tx.compute_wtxid().to_string(), r.clone()))
                .collect();
            json!({"package_msg": message, "tx-results": results})
        };
        let read = |answer: Value| package_verdict(&answer, &parent, &child);

        let both = answer("success", &[(&parent, ok(&parent)), (&child, ok(&child))]);
        assert_eq!(read(both).unwrap().unwrap().child.fee, Amount::from_sat(1));

        let why = answer(
            "transaction failed",
            &[
                (&parent, no(&parent, "package-not-validated")),
                (&child, no(&child, "bad")),
            ],
        );
        assert_eq!(read(why).unwrap().unwrap_err().reason, "bad");
        let why = answer(
            "transaction failed",
            &[(&parent, no(&parent, "low")), (&child, no(&child, "bad"))],
        );
        let refused = read(why).unwrap().unwrap_err();
        assert_eq!(
            (refused.txid, refused.reason.as_str()),
            (parent.compute_txid(), "low")
        );
        let refused = read(answer("package-not-sorted", &[])).unwrap().unwrap_err();
        assert_eq!(refused.reason, "package: package-not-sorted");
        // Success with an error beside it is none.
        let odd = answer("success", &[(&parent, ok(&parent)), (&child, no(&child, "bad"))]);
        assert!(read(odd).unwrap().is_err());
        for odd in [
            answer("success", &[(&parent, ok(&parent))]),
            answer("success", &[(&parent, ok(&child)), (&child, ok(&parent))]),
            answer(
                "success",
                &[
                    (&parent, json!({"txid": parent.compute_txid()})),
                    (&child, ok(&child)),
                ],
            ),
            json!({}),
            json!("success"),
        ] {
            assert!(
                matches!(read(odd.clone()), Err(RpcError::Malformed { .. })),
                "{odd}"
            );
        }
    }
}
