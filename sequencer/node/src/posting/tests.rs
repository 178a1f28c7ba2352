//! Fees that are raised on a real bitcoind.

use bitcoin::{Amount, FeeRate, Transaction, TxOut, Txid};
use bitcoincore_rpc::Auth;
use bridge::weight::P2TR_DUST;
use l2_store::Options;
use regtest::TestNode;

use super::*;
use crate::bitcoind::BitcoinConfig;
use crate::pool::tests::{genesis, key};

struct World {
    _folder: tempfile::TempDir,
    node: TestNode,
    posting: Posting,
}

/// A validator whose script holds these coins, confirmed.
fn world(sats: &[u64]) -> World {
    let mut node = TestNode::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        cache: 8 << 20,
        sync: false,
    };
    let pair = Keypair::from_secret_key(&Secp256k1::new(), &key(7));
    let own = B256::new(pair.x_only_public_key().0.serialize());
    let mut genesis = genesis();
    (genesis.bridge_key, genesis.validators[0].key) = (own, own);
    let mut config = BitcoinConfig {
        url: node.bitcoind.url().to_owned(),
        cookie: None,
        user: None,
        password: None,
        poll_ms: 1_000,
    };
    match node.bitcoind.auth() {
        Auth::CookieFile(path) => config.cookie = Some(path.clone()),
        Auth::UserPass(user, password) => {
            (config.user, config.password) = (Some(user.clone()), Some(password.clone()));
        }
        Auth::None => unreachable!("a node of ours asks who we are"),
    }
    let posting = Posting::new(PostingParts {
        store: Arc::new(Store::open(folder.path(), &genesis, options).unwrap()),
        genesis,
        bitcoind: Bitcoind::new(&config).unwrap(),
        terms: PostingTerms {
            every: 1,
            takeover: 1,
            patience: 1,
            cap: 1_000,
        },
        key: Some(pair),
        send: Box::new(|_| ()),
        told: Box::new(|_| Ok(())),
        speakers: Speakers::default(),
    })
    .unwrap();
    let coin = |sats: &u64| TxOut {
        value: Amount::from_sat(*sats),
        script_pubkey: posting.script().unwrap(),
    };
    let coins = sats.iter().map(coin).collect();
    node.funds.fund_many(node.bitcoind.chain(), coins).unwrap();
    World {
        _folder: folder,
        node,
        posting,
    }
}

impl World {
    /// A transaction that waits with dust for a handle, as reveals do.
    fn waiting(&self) -> Bump {
        let handle = TxOut {
            value: P2TR_DUST,
            script_pubkey: self.posting.script().unwrap(),
        };
        let (chain, rate) = (self.node.bitcoind.chain(), FeeRate::from_sat_per_vb_u32(1));
        let transaction = self.node.funds.signed_payment(chain, vec![handle], rate).unwrap();
        Bump {
            paid: chain.accept(&transaction).unwrap().fee,
            transaction,
            handle: 0,
            rate: SatPerVbyte::MIN,
        }
    }

    /// The transaction that waits beside the one that is bumped.
    fn child(&self, bump: &Bump) -> Option<Transaction> {
        let chain = self.node.bitcoind.chain();
        let parent = bump.transaction.compute_txid();
        let others: Vec<Txid> = chain.mempool().unwrap();
        let mut others = others.into_iter().filter(|txid| *txid != parent);
        let child = others.next().map(|txid| chain.transaction(txid).unwrap());
        assert_eq!(others.next(), None);
        child
    }
}

#[test]
fn a_fee_is_raised_beside_the_dust_of_reveals_and_raised_again() {
    let mut world = world(&[330, 200_000, 330, 50_000, 330]);
    let mut bump = world.waiting();
    let size = |child: &Transaction| (bump.transaction.vsize() + child.vsize()) as u64;
    // Of the smallest coin that pays, and when that is too small, of the next.
    let mut before = None;
    for (rate, coin) in [(20, 50_000), (40, 50_000), (300, 200_000)] {
        let bump = Bump {
            rate: SatPerVbyte::new(rate).unwrap(),
            ..bump.clone()
        };
        assert!(world.posting.bump(&bump));
        let child = world.child(&bump).unwrap();
        let fee = P2TR_DUST.to_sat() + coin - child.output[0].value.to_sat();
        assert_eq!(fee + bump.paid.to_sat(), u64::from(rate) * size(&child));
        assert_ne!(before.replace(child.compute_txid()), Some(child.compute_txid()));
        let funding = world.posting.funding(SatPerVbyte::new(50).unwrap()).unwrap();
        let left: Vec<u64> = funding.map_or_else(Vec::new, |funding| {
            funding
                .coins
                .iter()
                .map(|coin| coin.txout.value.to_sat())
                .collect()
        });
        assert_eq!(left, [250_000 - coin]);
    }
    // What no coin can pay is said not to have gone out.
    bump.rate = SatPerVbyte::new(2_000).unwrap();
    assert!(!world.posting.bump(&bump));
    assert_eq!(world.child(&bump).map(|child| child.compute_txid()), before);
    // Nor does what bitcoind refuses: a child of a transaction that it does not know.
    let mut unknown = bump.clone();
    unknown.rate = SatPerVbyte::new(20).unwrap();
    unknown.transaction.lock_time = bitcoin::absolute::LockTime::from_consensus(1);
    assert!(!world.posting.bump(&unknown));
    assert_eq!(world.child(&bump).map(|child| child.compute_txid()), before);
}

#[test]
fn a_coinbase_pays_for_a_bump_when_it_is_old_enough() {
    let mut world = world(&[330, 330]);
    let script = world.posting.script().unwrap();
    let address = bitcoin::Address::from_script(&script, bitcoin::Network::Regtest).unwrap();
    world.node.chain().mine_to(1, &address).unwrap();
    let raise = |world: &mut World| {
        let bump = Bump {
            rate: SatPerVbyte::new(20).unwrap(),
            ..world.waiting()
        };
        (world.posting.bump(&bump), world.child(&bump).is_some())
    };
    assert_eq!(raise(&mut world), (false, false));
    world.node.chain().mine(100).unwrap();
    world.node.funds.rescan(world.node.bitcoind.chain()).unwrap();
    assert_eq!(raise(&mut world), (true, true));
}
