//! Agreement on blocks: Tendermint with BIP-340 validator keys.
