//! An API key: `fk_<key id>_<secret>`. The secret is 32 random bytes, shown once; only its BLAKE3 hash is kept.
//!
//! Assumption: a fast hash is right here. A password needs a slow one because people choose it; 256 random bits cannot
//! be searched.
use crate::cursor::{hex, unhex};
use fleet_types::KeyId;

/// A new key.
pub struct Fresh {
    /// Its public name.
    pub id: KeyId,
    /// What its owner keeps: the whole credential.
    pub token: String,
    /// What we keep.
    pub hash: String,
}

/// Makes a key.
///
/// # Errors
/// When the system gives no randomness.
pub fn generate() -> Result<Fresh, getrandom::Error> {
    let mut name = [0u8; 6];
    let mut secret = [0u8; 32];
    getrandom::fill(&mut name)?;
    getrandom::fill(&mut secret)?;
    let id = KeyId::parse(&format!("k-{}", hex(&name))).expect("hexadecimal digits make a name");
    Ok(Fresh {
        token: format!("fk_{id}_{}", hex(&secret)),
        hash: hash(&secret).to_hex().to_string(),
        id,
    })
}

/// A credential as presented.
pub struct Presented {
    /// The key it claims to be.
    pub id: KeyId,
    hash: blake3::Hash,
}

impl Presented {
    /// Reads a credential; `None` when it has not the form of one.
    #[must_use]
    pub fn parse(token: &str) -> Option<Presented> {
        let (id, secret) = token.strip_prefix("fk_")?.rsplit_once('_')?;
        let secret = unhex(secret).filter(|secret| secret.len() == 32)?;
        Some(Presented {
            id: KeyId::parse(id).ok()?,
            hash: hash(&secret),
        })
    }

    /// Whether its secret is the one whose hash was kept. Takes the same time whatever the difference.
    #[must_use]
    pub fn opens(&self, kept: &str) -> bool {
        // `blake3::Hash` compares in constant time.
        blake3::Hash::from_hex(kept).is_ok_and(|kept| kept == self.hash)
    }
}

fn hash(secret: &[u8]) -> blake3::Hash {
    blake3::hash(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_its_own_hash_only() {
        let one = generate().unwrap();
        let two = generate().unwrap();
        let presented = Presented::parse(&one.token).unwrap();
        assert_eq!(presented.id, one.id);
        assert!(presented.opens(&one.hash));
        assert!(!presented.opens(&two.hash));
        assert!(!presented.opens(""));
        assert!(!one.token.contains(&one.hash));
        for bad in [
            "",
            "fk_",
            "fk_k-1_",
            "fk_k-1_00",
            "k-1_00",
            &one.token[1..],
            &format!("{}0", one.token),
        ] {
            assert!(Presented::parse(bad).is_none(), "{bad:?} was taken");
        }
    }
}
