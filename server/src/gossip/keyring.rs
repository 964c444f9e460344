//! The keys of a pool: one encrypts, all decrypt.
//!
//! A key goes round in three steps, each of which must have reached everybody before the next:
//! install the new one, use it, remove the old one. So at any moment two members share a key.
//!
//! What is encrypted is AES-GCM, with a key of 16, 24 or 32 bytes and a nonce of 12 that is drawn
//! anew for each blob. NIST SP 800-38D bounds a key with random nonces to 2^32 blobs: a member
//! that sends a hundred packets a second gets there in 16 months, a thousand members together in
//! half a day of the worst traffic. The bound stands for a chance of 2^-32; rotate keys.

use std::fmt;

use aes_gcm::aead::array::typenum::U12;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::Aes192;
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::swim::wire::Sealed;
use thiserror::Error;

/// Keys that a ring holds at most: each packet that nobody can read is tried with all of them.
pub const KEYS_MAX: usize = 16;

/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// A key: 16, 24 or 32 bytes. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

/// Why a key was not taken, or not let go.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It is no key.
    #[error("key size must be 16, 24 or 32 bytes, and this one has {0}")]
    Size(usize),
    /// It is not written as a key is.
    #[error(
        "a key is 16, 24 or 32 bytes in base64, such as `serf keygen` or `openssl rand \
             -base64 32` prints: {0}"
    )]
    Base64(String),
    /// There are too many.
    #[error("the keyring is full ({KEYS_MAX} keys): remove one first")]
    Full,
    /// Only a key that everybody has may encrypt.
    #[error("Requested key is not in the keyring")]
    Unknown,
    /// Somebody must encrypt with something.
    #[error("Removing the primary key is not allowed")]
    Primary,
}

/// The keys, the one that encrypts first.
///
/// - There is one at least.
/// - No key is there twice.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(Key, Cipher)>,
}

#[derive(Clone)]
enum Cipher {
    Aes128(Box<Aes128Gcm>),
    Aes192(Box<AesGcm<Aes192, U12>>),
    Aes256(Box<Aes256Gcm>),
}

impl Key {
    /// These bytes.
    ///
    /// # Errors
    /// [`KeyError::Size`].
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            16 | 24 | 32 => Ok(Self(bytes.to_vec())),
            size => Err(KeyError::Size(size)),
        }
    }

    /// A key as people write it.
    ///
    /// # Errors
    /// [`KeyError::Base64`], [`KeyError::Size`].
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text.trim());
        Self::new(&bytes.map_err(|error| KeyError::Base64(error.to_string()))?)
    }

    /// As people write it.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn cipher(&self) -> Cipher {
        const SIZED: &str = "invariant: a key has the size of its cipher's";
        match self.0.len() {
            16 => Cipher::Aes128(Box::new(Aes128Gcm::new_from_slice(&self.0).expect(SIZED))),
            24 => Cipher::Aes192(Box::new(AesGcm::new_from_slice(&self.0).expect(SIZED))),
            _ => Cipher::Aes256(Box::new(Aes256Gcm::new_from_slice(&self.0).expect(SIZED))),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.keys.len())
    }
}

impl Keyring {
    /// A ring of one key.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let cipher = key.cipher();
        Self { keys: vec![(key, cipher)] }
    }

    /// A ring of these, the first of which encrypts; `None` without any. What is there twice
    /// counts once.
    ///
    /// # Errors
    /// [`KeyError::Full`].
    pub fn of(keys: impl IntoIterator<Item = Key>) -> Result<Option<Self>, KeyError> {
        let mut keys = keys.into_iter();
        let Some(first) = keys.next() else { return Ok(None) };
        let mut ring = Self::new(first);
        keys.try_for_each(|key| ring.install(key))?;
        Ok(Some(ring))
    }

    /// The keys, the one that encrypts first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().map(|(key, _)| key)
    }

    /// The one that encrypts.
    #[must_use]
    pub fn primary(&self) -> &Key {
        &self.keys[0].0
    }

    /// Lets this key decrypt. One that does already is no error.
    ///
    /// # Errors
    /// [`KeyError::Full`]: nothing has changed.
    pub fn install(&mut self, key: Key) -> Result<(), KeyError> {
        if self.position(&key).is_some() {
            return Ok(());
        }
        if self.keys.len() == KEYS_MAX {
            return Err(KeyError::Full);
        }
        let cipher = key.cipher();
        self.keys.push((key, cipher));
        Ok(())
    }

    /// Encrypts with this key from now on.
    ///
    /// # Errors
    /// [`KeyError::Unknown`]: nothing has changed.
    pub fn choose(&mut self, key: &Key) -> Result<(), KeyError> {
        let position = self.position(key).ok_or(KeyError::Unknown)?;
        self.keys[..=position].rotate_right(1);
        Ok(())
    }

    /// Forgets a key. One that is not there is no error.
    ///
    /// # Errors
    /// [`KeyError::Primary`]: nothing has changed.
    pub fn remove(&mut self, key: &Key) -> Result<(), KeyError> {
        match self.position(key) {
            Some(0) => Err(KeyError::Primary),
            Some(position) => {
                self.keys.remove(position);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn position(&self, key: &Key) -> Option<usize> {
        self.keys.iter().position(|(known, _)| known == key)
    }

    /// Appends a blob that hides `plain`, and for whose front `extra` vouches as well.
    pub fn seal(&self, nonce: [u8; 12], plain: &[u8], extra: &[u8], out: &mut Vec<u8>) {
        Sealed::write_front(false, nonce, out);
        let payload = Payload { msg: plain, aad: extra };
        let nonce = nonce.into();
        let text = match &self.keys[0].1 {
            Cipher::Aes128(cipher) => cipher.encrypt(&nonce, payload),
            Cipher::Aes192(cipher) => cipher.encrypt(&nonce, payload),
            Cipher::Aes256(cipher) => cipher.encrypt(&nonce, payload),
        };
        out.extend_from_slice(&text.expect("invariant: messages are shorter than 64 GiB"));
    }

    /// What a blob hides; `None` when no key here has made it, or it was changed on its way.
    #[must_use]
    pub fn open(&self, blob: &Bytes, extra: &[u8]) -> Option<Vec<u8>> {
        let sealed = Sealed::read(blob).ok()?;
        let nonce = sealed.nonce.into();
        let mut plain = self.keys.iter().find_map(|(_, cipher)| {
            let payload = Payload { msg: &sealed.text, aad: extra };
            match cipher {
                Cipher::Aes128(cipher) => cipher.decrypt(&nonce, payload),
                Cipher::Aes192(cipher) => cipher.decrypt(&nonce, payload),
                Cipher::Aes256(cipher) => cipher.decrypt(&nonce, payload),
            }
            .ok()
        })?;
        if sealed.padded {
            let padding = usize::from(*plain.last()?);
            if padding == 0 || padding > BLOCK {
                return None;
            }
            plain.truncate(plain.len().checked_sub(padding)?);
        }
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: u8) -> Key {
        Key::new(&[first; 16]).unwrap()
    }

    #[test]
    fn a_key_goes_round_and_somebody_always_encrypts() {
        let mut ring = Keyring::new(key(1));
        assert_eq!(ring.choose(&key(2)), Err(KeyError::Unknown));
        ring.install(key(2)).unwrap();
        ring.install(key(2)).unwrap();
        assert_eq!(ring.primary(), &key(1));
        ring.choose(&key(2)).unwrap();
        assert_eq!(ring.keys().collect::<Vec<_>>(), [&key(2), &key(1)]);
        assert_eq!(ring.remove(&key(2)), Err(KeyError::Primary));
        ring.remove(&key(1)).unwrap();
        ring.remove(&key(1)).unwrap();
        assert_eq!(ring.keys().count(), 1);
    }

    #[test]
    fn what_one_key_sealed_another_does_not_open() {
        for size in [16, 24, 32] {
            let ring = Keyring::new(Key::new(&vec![7; size]).unwrap());
            let mut blob = Vec::new();
            ring.seal([9; 12], b"hello", b"label", &mut blob);
            let blob = Bytes::from(blob);
            assert_eq!(ring.open(&blob, b"label").as_deref(), Some(&b"hello"[..]));
            assert_eq!(ring.open(&blob, b"other"), None);
            let mut other = Keyring::new(key(1));
            assert_eq!(other.open(&blob, b"label"), None);
            other.install(ring.primary().clone()).unwrap();
            assert!(other.open(&blob, b"label").is_some(), "any key of the ring will do");
        }
    }

    #[test]
    fn keys_have_three_sizes_and_rings_a_bound() {
        assert_eq!(Key::new(&[0; 20]), Err(KeyError::Size(20)));
        assert!(matches!(Key::from_base64("no key!"), Err(KeyError::Base64(_))));
        let text = "AAECAwQFBgcICQoLDA0ODw==";
        assert_eq!(Key::from_base64(text).unwrap().to_base64(), text);
        let many = (0..).map(key).take(KEYS_MAX + 1);
        assert_eq!(Keyring::of(many).unwrap_err(), KeyError::Full);
        assert!(Keyring::of([]).unwrap().is_none());
        assert_eq!(format!("{:?}", key(77)), "Key(16 bytes)");
    }
}
