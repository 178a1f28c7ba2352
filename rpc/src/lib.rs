//! JSON-RPC for wallets.
