//! What a proposer takes and a validator votes for, as the backlog and Bitcoin's depth have it.

use l2_consensus::SecretKey;

use super::*;
use crate::backlog::BacklogLimits;
use crate::chain::tests as chain;
use crate::pool::tests::{World, world};
use crate::posting::PostingStatus;

/// The application of the chain's first validator; `bytes` may wait.
fn application(chain: &Arc<Chain>, pool: &Arc<SharedPool>, bytes: u64) -> NodeApplication {
    let limits = BacklogLimits {
        bytes,
        age: 10,
        most_bytes: bytes,
        most_age: 20,
    };
    NodeApplication {
        chain: Arc::clone(chain),
        pool: Arc::clone(pool),
        key: Some(chain.validators().unwrap()[0].key),
        max_bytes: 1 << 20,
        backlog: Arc::new(Backlog::new(limits, chain.store()).unwrap()),
        metrics: Arc::default(),
        clock: || 1_001_000,
        on_block: Arc::new(Box::new(|_| ())),
        on_evidence: Arc::new(Box::new(|_| ())),
    }
}

fn of(world: &World, bytes: u64) -> NodeApplication {
    application(&world.chain, &world.pool, bytes)
}

/// Bitcoin is at this height, and has no batch.
fn bitcoin(app: &NodeApplication, height: u64) {
    let status = PostingStatus {
        height,
        ..PostingStatus::default()
    };
    app.backlog.posted(&status, app.chain.store()).unwrap();
}

async fn judge(app: &mut NodeApplication, block: &Block, standing: Standing) -> Judgement {
    let anybody = SecretKey::from_slice(&[7; 32]).unwrap();
    let (key, _) = anybody.x_only_public_key(&l2_consensus::secp256k1::Secp256k1::new());
    let proposer = Validator::new(B256::new(key.serialize()), block.header.proposer).unwrap();
    let bytes = block.encode().into();
    app.check(&proposer, block, &bytes, standing).await.unwrap()
}

async fn propose(app: &mut NodeApplication) -> Block {
    let height = app.chain.head().number + 1;
    let deadline = Instant::now() + Duration::from_secs(60);
    let bytes = app.propose(height, 0, deadline).await.unwrap().unwrap();
    Block::decode_exact(&bytes).unwrap()
}

#[tokio::test]
async fn what_waits_decides_what_is_proposed_and_what_is_voted_for() {
    let world = world();
    let each = world.submit_transfer().len() as u64;
    let mut app = of(&world, each);
    let origin = world.chain.head().origin.height;
    bitcoin(&app, origin);
    // Nothing waits.
    assert_eq!(propose(&mut app).await.transactions.len(), 1);
    let block = world.next();
    assert_eq!(
        judge(&mut app, &block, Standing::Proposed).await,
        Judgement::Valid
    );

    // One block does.
    app.backlog.committed(&world.commit());
    world.submit_transfer();
    let block = world.next();
    assert_eq!(block.transactions.len(), 1);
    assert_eq!(
        judge(&mut app, &block, Standing::Proposed).await,
        Judgement::Unknown
    );
    assert_eq!(judge(&mut app, &block, Standing::Earlier).await, Judgement::Valid);
    assert_eq!(judge(&mut app, &block, Standing::Decided).await, Judgement::Valid);
    let empty = propose(&mut app).await;
    assert!(empty.transactions.is_empty());
    assert_eq!(
        judge(&mut app, &empty, Standing::Proposed).await,
        Judgement::Valid
    );
    // The transaction is still there.
    assert_eq!(app.pool.size().0, 1);

    // There is room, but it has waited for long.
    let mut app = of(&world, 100 * each);
    for (height, proposed, judged) in [
        (9, 1, Judgement::Valid),
        (10, 0, Judgement::Valid),
        (19, 0, Judgement::Valid),
        (20, 0, Judgement::Unknown),
        (9, 1, Judgement::Valid),
    ] {
        bitcoin(&app, origin + height);
        assert_eq!(propose(&mut app).await.transactions.len(), proposed, "{height}");
        assert_eq!(
            judge(&mut app, &block, Standing::Proposed).await,
            judged,
            "{height}"
        );
    }
}

#[tokio::test]
async fn only_who_votes_refuses_what_is_too_much() {
    let world = world();
    world.submit_transfer();
    let mut app = of(&world, 1);
    bitcoin(&app, world.chain.head().origin.height);
    app.backlog.committed(&world.commit());
    world.submit_transfer();
    app.backlog.committed(&world.commit());
    world.submit_transfer();
    let block = world.next();
    for standing in [Standing::Proposed, Standing::Earlier] {
        assert_eq!(judge(&mut app, &block, standing).await, Judgement::Unknown);
    }
    assert_eq!(judge(&mut app, &block, Standing::Decided).await, Judgement::Valid);
    app.key = None;
    for standing in [Standing::Proposed, Standing::Earlier] {
        assert_eq!(judge(&mut app, &block, standing).await, Judgement::Valid);
    }
}

#[tokio::test]
async fn a_young_bitcoin_block_is_waited_for_unless_a_quorum_named_it() {
    let liar = chain::node(110, Some(110));
    let block = chain::block(&liar);
    let honest = chain::node(110, None);
    let limits = l2_mempool::Limits::for_blocks(30_000_000, 1_000);
    let pool = Arc::new(SharedPool::new(Arc::clone(&honest.chain), limits));
    let mut app = application(&honest.chain, &pool, 1 << 20);
    for (standing, judgement) in [
        (Standing::Proposed, Judgement::Unknown),
        (Standing::Earlier, Judgement::Unknown),
        (Standing::Decided, Judgement::Valid),
    ] {
        assert_eq!(judge(&mut app, &block, standing).await, judgement, "{standing:?}");
    }
}
