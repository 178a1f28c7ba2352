//! A layer 2 node: storage, mempool, consensus, Bitcoin, metrics, put together.
