//! A state as `revm` reads it, and what became of what it read.

use alloy_primitives::{Address, B256, U256};
use l2_state::Account;
use revm::Database as RevmDatabase;
use revm::database_interface::DBErrorMarker;
use revm::primitives::{AddressMap, HashMap, KECCAK_EMPTY};
use revm::state::{AccountInfo, Bytecode, EvmState};

use crate::system::{HISTORY, hash_of, history_slot};
use crate::{Changes, StateView};

/// The state could not be read; why is in [`Database::fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("state could not be read")]
pub(crate) struct Fault;

impl DBErrorMarker for Fault {}

/// A view that remembers what was read, so that [`Database::changes`] tells what differs from it.
pub(crate) struct Database<V: StateView> {
    pub(crate) view: V,
    /// Why the last read failed.
    pub(crate) fault: Option<V::Error>,
    /// Number and hash of the newest header that `BLOCKHASH` answers: the state may not hold it yet.
    pub(crate) parent: (u64, B256),
    accounts: AddressMap<Option<Account>>,
    slots: HashMap<(Address, U256), U256>,
}

impl<V: StateView> Database<V> {
    pub(crate) fn new(view: V, parent: (u64, B256)) -> Self {
        Self {
            view,
            fault: None,
            parent,
            accounts: AddressMap::default(),
            slots: HashMap::default(),
        }
    }

    fn read<T>(&mut self, result: Result<T, V::Error>) -> Result<T, Fault> {
        result.map_err(|error| {
            self.fault = Some(error);
            Fault
        })
    }

    /// What differs in `state` from what was read. Only values decide, no flags of `revm`'s but one: an account that was
    /// destroyed and not loaded since still shows what it held.
    pub(crate) fn changes(&self, state: EvmState) -> Changes {
        let mut changes = Changes::default();
        for (address, account) in state {
            let destroyed = account.is_selfdestructed_locally();
            let info = account.info;
            let after = if destroyed || info.is_empty() {
                None
            } else {
                Some(Account {
                    nonce: info.nonce,
                    balance: info.balance,
                    code_hash: info.code_hash,
                })
            };
            let before = self.accounts.get(&address).copied().flatten();
            if after != before {
                changes.accounts.insert(address, after);
                let hash = after.map_or(KECCAK_EMPTY, |account| account.code_hash);
                if hash != KECCAK_EMPTY && before.map(|account| account.code_hash) != Some(hash) {
                    let code = info
                        .code
                        .expect("code that was set in this block is with its account");
                    changes.code.insert(hash, code.original_bytes());
                }
            }
            for (slot, word) in account.storage {
                let before = self.slots.get(&(address, slot)).copied().unwrap_or_default();
                let after = if destroyed { U256::ZERO } else { word.present_value };
                if after != before {
                    changes.storage.insert((address, slot), after);
                }
            }
        }
        changes
    }
}

impl<V: StateView> RevmDatabase for Database<V> {
    type Error = Fault;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Fault> {
        let read = self.view.account(&address);
        let account = self.read(read)?;
        self.accounts.insert(address, account);
        Ok(account.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Fault> {
        let read = self.view.code(&hash);
        let code = self.read(read)?;
        // Code that begins with 0xef01 and is no delegation cannot be deployed (EIP-3541), but genesis may hold anything.
        Ok(Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code)))
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Fault> {
        let read = self.view.storage(&address, &slot);
        let value = self.read(read)?;
        self.slots.insert((address, slot), value);
        Ok(value)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Fault> {
        if number == self.parent.0 {
            return Ok(self.parent.1);
        }
        let read = self.view.storage(&HISTORY, &history_slot(number));
        self.read(read).map(hash_of)
    }
}
