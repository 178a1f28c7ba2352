//! Leaves that Miniscript can express: built from a policy, refused unless Miniscript finds them sane.
//!
//! Sane means: every path needs a signature, no malleable satisfaction, no mixed timelocks, within resource limits.

use bitcoin::{ScriptBuf, XOnlyPublicKey};
use miniscript::{Miniscript, Tap};

use crate::blocks::Blocks;

/// `key` alone, `delay` after the output confirmed.
pub(crate) fn key_after(key: XOnlyPublicKey, delay: Blocks) -> ScriptBuf {
    sane(&format!("and_v(v:pk({key}),older({}))", delay.get()))
}

/// Both keys. The witness holds `second`'s signature below `first`'s.
pub(crate) fn both(first: XOnlyPublicKey, second: XOnlyPublicKey) -> ScriptBuf {
    sane(&format!("and_v(v:pk({first}),pk({second}))"))
}

fn sane(text: &str) -> ScriptBuf {
    let miniscript: Miniscript<XOnlyPublicKey, Tap> = text
        .parse()
        .expect("the policies of this module are well-formed for every key and every delay");
    miniscript
        .sanity_check()
        .expect("the policies of this module are sane for distinct keys and every delay");
    miniscript.encode()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bitcoin::taproot::LeafVersion;
    use bitcoin::{TapLeafHash, TapNodeHash};
    use miniscript::descriptor::{TapTree, Tr};

    use super::*;
    use crate::connectors::TaprootOutput;

    fn key(byte: u8) -> XOnlyPublicKey {
        let secp = bitcoin::secp256k1::Secp256k1::new();
        bitcoin::secp256k1::Keypair::from_seckey_slice(&secp, &[byte; 32])
            .unwrap()
            .x_only_public_key()
            .0
    }

    #[test]
    fn a_whole_descriptor_gives_the_same_output() {
        let delay = Blocks::new(144).unwrap();
        let leaf = key_after(key(2), delay);
        let text = format!("and_v(v:pk({}),older(144))", key(2));
        let parsed: Miniscript<XOnlyPublicKey, Tap> = text.parse().unwrap();
        let descriptor = Tr::new(key(1), Some(TapTree::leaf(Arc::new(parsed)))).unwrap();
        descriptor.sanity_check().unwrap();
        let root = TapNodeHash::from(TapLeafHash::from_script(&leaf, LeafVersion::TapScript));
        assert_eq!(
            descriptor.script_pubkey(),
            TaprootOutput::new(key(1), Some(root)).script_pubkey()
        );
    }

    #[test]
    fn outputs_of_one_party_are_plain_key_descriptors() {
        let descriptor: miniscript::Descriptor<XOnlyPublicKey> = format!("tr({})", key(3)).parse().unwrap();
        descriptor.sanity_check().unwrap();
        let script = descriptor.script_pubkey();
        assert_eq!(
            crate::connectors::Anchor::new(key(3)).output().script_pubkey(),
            script
        );
        assert_eq!(
            crate::connectors::BondOutpoint::new(key(3))
                .output()
                .script_pubkey(),
            script
        );
        assert_eq!(crate::connectors::own_signature_script(key(3)), script);
    }

    #[test]
    fn the_delay_is_in_the_script() {
        assert_ne!(
            key_after(key(2), Blocks::ONE),
            key_after(key(2), Blocks::new(2).unwrap())
        );
    }
}
