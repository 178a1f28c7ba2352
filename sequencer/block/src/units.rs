//! Money: satoshis on Bitcoin, wei on the layer 2.

use alloy_primitives::U256;

/// Satoshis.
pub type Sats = u64;
/// Wei of BTC: 18 decimals.
pub type Wei = U256;

/// One satoshi in wei: BTC has 8 decimals on Bitcoin and 18 here.
pub const WEI_PER_SAT: u64 = 10_000_000_000;
