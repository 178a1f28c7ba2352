// viem, unmodified: a transfer, a contract, its events, its errors. Usage: viem.mjs URL SECRET
import assert from 'node:assert/strict';
import { createPublicClient, createWalletClient, defineChain, http, parseEther, parseEventLogs } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { abi, bytecode } from './contract.mjs';

const [url, secret] = process.argv.slice(2);
const chain = defineChain({
  id: 7117,
  name: 'Tapestry devnet',
  nativeCurrency: { name: 'Bitcoin', symbol: 'BTC', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const account = privateKeyToAccount(secret);
const reader = createPublicClient({ chain, transport: http(url), pollingInterval: 200 });
const writer = createWalletClient({ account, chain, transport: http(url) });

assert.equal(await reader.getChainId(), 7117);
const to = privateKeyToAccount(generatePrivateKey()).address;
const hash = await writer.sendTransaction({ to, value: parseEther('0.25') });
const receipt = await reader.waitForTransactionReceipt({ hash });
assert.equal(receipt.status, 'success');
assert.equal(await reader.getBalance({ address: to }), parseEther('0.25'));
const block = await reader.getBlock({ blockHash: receipt.blockHash, includeTransactions: true });
assert.ok(block.transactions.some((transaction) => transaction.hash === hash));

const made = await reader.waitForTransactionReceipt({ hash: await writer.deployContract({ abi, bytecode }) });
const address = made.contractAddress;
assert.ok(address);
const { request, result } = await reader.simulateContract({ account, address, abi, functionName: 'enter', args: [9n] });
assert.equal(result, 9n);
const done = await reader.waitForTransactionReceipt({ hash: await writer.writeContract(request) });
const [event] = parseEventLogs({ abi, logs: done.logs });
assert.equal(event.args.amount, 9n);
assert.equal(await reader.readContract({ address, abi, functionName: 'entries', args: [account.address] }), 9n);
await assert.rejects(
  reader.simulateContract({ account, address, abi, functionName: 'enter', args: [1001n] }),
  /TooMuch/,
);
const gas = await reader.estimateContractGas({ account, address, abi, functionName: 'enter', args: [1n] });
assert.ok(gas > 21000n && gas < 200000n);
const fees = await reader.estimateFeesPerGas();
assert.ok(fees.maxFeePerGas > 0n);

console.log(JSON.stringify({ transfer: hash, contract: address, block: Number(receipt.blockNumber) }));
