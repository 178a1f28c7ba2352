//! The token's ABI.

// The macro's items carry the documents of the interface; its inner modules have none.
#![allow(missing_docs)]

use alloy_sol_types::sol;

sol! {
    /// ERC-20, staking, and the validators' business, at `0x…7a03`.
    #[derive(Debug, PartialEq, Eq)]
    interface IToken {
        event Transfer(address indexed from, address indexed to, uint256 value);
        event Approval(address indexed owner, address indexed spender, uint256 value);
        event Staked(address indexed staker, address indexed validator, uint256 amount);
        event Unstaked(address indexed staker, address indexed validator, uint256 amount, uint64 epoch);
        event Withdrawn(address indexed staker, uint256 amount);
        event Claimed(address indexed staker, uint256 amount);
        event Slashed(address indexed validator, uint256 amount, uint64 height, uint32 round);
        event Unjailed(address indexed validator);
        event Voted(address indexed voter, bytes change);
        event Changed(bytes change);

        /// A whitelisted validator.
        struct Validator {
            /// X-only key that is in force.
            bytes32 key;
            /// Address that names it and earns.
            address account;
            /// Tokens staked with it.
            uint256 stake;
            /// Whether it agrees on blocks in this epoch.
            bool active;
            /// Whether it is kept out of the next epochs.
            bool jailed;
        }

        /// Tokens on their way out.
        struct Unbonding {
            /// With whom they were staked.
            address validator;
            /// How many, if nothing is slashed any more.
            uint256 amount;
            /// From which epoch they can be withdrawn.
            uint64 epoch;
        }

        function name() external pure returns (string);
        function symbol() external pure returns (string);
        function decimals() external pure returns (uint8);
        function totalSupply() external view returns (uint256);
        function balanceOf(address owner) external view returns (uint256);
        function transfer(address to, uint256 value) external returns (bool);
        function approve(address spender, uint256 value) external returns (bool);
        function allowance(address owner, address spender) external view returns (uint256);
        function transferFrom(address from, address to, uint256 value) external returns (bool);

        /// Stakes tokens with a validator.
        function stake(address validator, uint256 amount) external returns (uint256 shares);
        /// Asks for staked tokens back, all of them if the amount is 2^256 - 1; from which epoch they can be withdrawn.
        function unstake(address validator, uint256 amount) external returns (uint64 epoch);
        /// Takes all tokens whose epoch has come.
        function withdraw() external returns (uint256 amount);
        /// Takes the rewards of all stakes.
        function claim() external returns (uint256 amount);
        function stakeOf(address validator, address staker) external view returns (uint256);
        function rewardOf(address validator, address staker) external view returns (uint256);
        function unbondingOf(address staker) external view returns (Unbonding[] memory);
        /// All whitelisted validators, active or not.
        function validators() external view returns (Validator[] memory);
        /// Epochs that have ended.
        function epoch() external view returns (uint64);
        /// What was mined for the proof network and is not paid yet.
        function proofPool() external view returns (uint256);

        /// For a validator that was jailed for absence, when its time is over.
        function unjail() external;
        /// Slashes and puts out a validator that signed twice; the bytes are those of `l2_block::Evidence`.
        function reportEquivocation(bytes evidence) external returns (uint256 slashed);
        /// An active validator's vote for a change (`l2_token::Change`), instead of its last one; no bytes take it back.
        function vote(bytes change) external returns (bool passed);
    }
}
