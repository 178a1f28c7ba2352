//! Transactions go from peer to peer.

use l2_block::{B256, Bytes};
use l2_consensus::{Gossip, GossipConfig, GossipError, MAX_MESSAGE, Multiaddr, Received, Verdict};
use tokio::{
    sync::mpsc::Receiver,
    time::{sleep, timeout},
};

use crate::devnet::{PATIENCE, free_address};

struct Peer {
    gossip: Gossip,
    received: Receiver<Received>,
    listen: Multiaddr,
}

async fn peer(genesis: u8, seed: u8, peers: &[&Peer]) -> Peer {
    let listen = free_address();
    let (gossip, received) = Gossip::start(GossipConfig {
        genesis: B256::repeat_byte(genesis),
        network_key: [seed; 32],
        listen: listen.clone(),
        peers: peers.iter().map(|peer| peer.listen.clone()).collect(),
    })
    .await
    .unwrap();
    Peer {
        gossip,
        received,
        listen,
    }
}

/// Publishes a new message until the other has one of them: connections take a while.
async fn connect(from: &Peer, to: &mut Peer, through: Option<&mut Peer>) {
    let forward = through.map(|peer| (peer.gossip.clone(), &mut peer.received));
    let publish = async {
        for i in 0u32.. {
            from.gossip.publish(i.to_be_bytes().to_vec().into()).await;
            sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let pass_on = async {
        if let Some((gossip, received)) = forward {
            while let Some(message) = received.recv().await {
                gossip.judge(&message, Verdict::Accept).await;
            }
        }
        core::future::pending::<()>().await;
    };
    tokio::select! {
        () = publish => unreachable!(),
        () = pass_on => unreachable!(),
        got = timeout(PATIENCE, to.received.recv()) => assert!(got.unwrap().is_some()),
    }
}

/// The next message that is longer than those of [`connect`].
async fn next(peer: &mut Peer) -> Received {
    loop {
        let message = timeout(PATIENCE, peer.received.recv()).await.unwrap().unwrap();
        if message.bytes.len() > 4 {
            return message;
        }
        peer.gossip.judge(&message, Verdict::Accept).await;
    }
}

fn message(fill: u8) -> Bytes {
    vec![fill; 1000].into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_goes_on_and_what_is_not_does_not() {
    let mut one = peer(1, 1, &[]).await;
    let mut two = peer(1, 2, &[&one]).await;
    let mut three = peer(1, 3, &[&two]).await;
    connect(&one, &mut three, Some(&mut two)).await;

    for (fill, verdict) in [(9, Verdict::Reject), (8, Verdict::Ignore), (7, Verdict::Accept)] {
        assert!(one.gossip.publish(message(fill)).await);
        let received = next(&mut two).await;
        assert_eq!(received.bytes, message(fill));
        assert_eq!(received.from, one.gossip.peer_id());
        two.gossip.judge(&received, verdict).await;
    }
    let received = next(&mut three).await;
    assert_eq!(received.bytes, message(7));
    assert_eq!(received.from, two.gossip.peer_id());

    // The longest goes through, a longer one does not start.
    assert!(!one.gossip.publish(vec![0; MAX_MESSAGE + 1].into()).await);
    assert!(three.gossip.publish(vec![5; MAX_MESSAGE].into()).await);
    let received = next(&mut two).await;
    assert_eq!(received.bytes.len(), MAX_MESSAGE);
    two.gossip.judge(&received, Verdict::Accept).await;
    assert_eq!(next(&mut one).await.bytes.len(), MAX_MESSAGE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_travel_once() {
    let one = peer(1, 1, &[]).await;
    let mut two = peer(1, 2, &[&one]).await;
    connect(&one, &mut two, None).await;
    for _ in 0..3 {
        one.gossip.publish(message(1)).await;
    }
    one.gossip.publish(message(2)).await;
    assert_eq!(next(&mut two).await.bytes, message(1));
    assert_eq!(next(&mut two).await.bytes, message(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chains_do_not_hear_each_other() {
    let one = peer(1, 1, &[]).await;
    let mut other = peer(2, 2, &[&one]).await;
    let mut two = peer(1, 3, &[&one]).await;
    connect(&one, &mut two, None).await;
    one.gossip.publish(message(1)).await;
    assert_eq!(next(&mut two).await.bytes, message(1));
    assert!(other.received.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_ours_is_told() {
    // Of a block that is nobody's (RFC 5737); the second is no address of a transport.
    for listen in ["/ip4/192.0.2.1/tcp/4001", "/ip4/127.0.0.1"] {
        let error = Gossip::start(GossipConfig {
            genesis: B256::ZERO,
            network_key: [2; 32],
            listen: listen.parse().unwrap(),
            peers: vec![],
        })
        .await
        .unwrap_err();
        assert!(matches!(error, GossipError::Listen { .. }), "{error}");
    }
}
