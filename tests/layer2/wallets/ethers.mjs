// ethers, unmodified: a transfer, a contract, its events, its errors. Usage: ethers.mjs URL SECRET
import assert from 'node:assert/strict';
import { Contract, ContractFactory, JsonRpcProvider, NonceManager, Wallet, parseEther } from 'ethers';
import { abi, bytecode } from './contract.mjs';

const [url, secret] = process.argv.slice(2);
const provider = new JsonRpcProvider(url, undefined, { pollingInterval: 200 });
const wallet = new Wallet(secret, provider);
const signer = new NonceManager(wallet);

const network = await provider.getNetwork();
assert.equal(network.chainId, 7117n);
const to = Wallet.createRandom().address;
const before = await provider.getBalance(wallet.address);
assert.ok(before > parseEther('1'));

const sent = await signer.sendTransaction({ to, value: parseEther('0.5') });
const receipt = await sent.wait();
assert.equal(receipt.status, 1);
assert.equal(receipt.gasUsed, 21000n);
assert.equal(await provider.getBalance(to), parseEther('0.5'));
const block = await provider.getBlock(receipt.blockNumber, true);
assert.ok(block.transactions.includes(sent.hash));
assert.equal(block.hash, receipt.blockHash);
const again = await provider.getTransaction(sent.hash);
assert.equal(again.from, wallet.address);

// A legacy and an access-list transaction, too.
for (const type of [0, 1]) {
  const done = await (await signer.sendTransaction({ to, value: 1n, type })).wait();
  assert.equal(done.status, 1);
  assert.equal(done.type, type);
}

const factory = new ContractFactory(abi, bytecode, signer);
const ledger = await (await factory.deploy()).waitForDeployment();
assert.notEqual(await provider.getCode(await ledger.getAddress()), '0x');
const entered = await (await ledger.enter(7n)).wait();
assert.equal(entered.logs.length, 1);
assert.equal(ledger.interface.parseLog(entered.logs[0]).args.amount, 7n);
assert.equal(await ledger.entries(wallet.address), 7n);
await assert.rejects(ledger.enter.staticCall(1001n), /TooMuch|execution reverted/);
const logs = await ledger.queryFilter(ledger.filters.Entered(wallet.address));
assert.equal(logs.length, 1);

// Refusals as wallets read them.
await assert.rejects(
  provider.broadcastTransaction(await wallet.signTransaction({ ...(await wallet.populateTransaction({ to, value: 1n })), nonce: 0 })),
  (error) => error.code === 'NONCE_EXPIRED',
);
const poor = Wallet.createRandom().connect(provider);
await assert.rejects(poor.sendTransaction({ to, value: 1n }), (error) => error.code === 'INSUFFICIENT_FUNDS');

console.log(JSON.stringify({ transfer: sent.hash, contract: await ledger.getAddress(), block: receipt.blockNumber }));
provider.destroy();
