// A contract for the wallets, compiled here from its source.
import solc from 'solc';

const source = `
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

contract Ledger {
    mapping(address => uint256) public entries;
    event Entered(address indexed who, uint256 amount);
    error TooMuch(uint256 asked, uint256 most);

    function enter(uint256 amount) external returns (uint256) {
        if (amount > 1000) revert TooMuch(amount, 1000);
        entries[msg.sender] += amount;
        emit Entered(msg.sender, amount);
        return entries[msg.sender];
    }
}`;

const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: 'Solidity',
      sources: { 'ledger.sol': { content: source } },
      settings: { evmVersion: 'cancun', outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
    }),
  ),
);
const errors = (output.errors ?? []).filter((error) => error.severity === 'error');
if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join('\n'));
const { abi, evm } = output.contracts['ledger.sol'].Ledger;

export { abi };
export const bytecode = `0x${evm.bytecode.object}`;
