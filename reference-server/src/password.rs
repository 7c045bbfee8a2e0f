//! Passwords, kept as Argon2id in the PHC string format.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// The cost of one password, from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Memory for one computation, in KiB.
    pub(crate) memory_kib: u32,
    /// Passes over that memory.
    pub(crate) iterations: u32,
}

/// Hashes a password with a fresh salt, off the asynchronous threads.
pub(crate) async fn hash(cost: Cost, password: String) -> Result<String, PasswordError> {
    off_the_reactor(move || {
        let params = Params::new(cost.memory_kib, cost.iterations, 1, None)
            .map_err(|error| PasswordError(error.to_string()))?;
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| PasswordError(error.to_string()))?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| PasswordError(error.to_string()))
    })
    .await
}

/// Whether `password` is the one behind `hash`; the hash names its own cost.
pub(crate) async fn verify(hash: String, password: String) -> Result<bool, PasswordError> {
    off_the_reactor(move || {
        let hash = PasswordHash::new(&hash).map_err(|error| PasswordError(error.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

async fn off_the_reactor<T: Send + 'static>(
    compute: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
) -> Result<T, PasswordError> {
    tokio::task::spawn_blocking(compute).await.map_err(|error| PasswordError(error.to_string()))?
}

/// A password could not be hashed or compared: a wrong cost in the configuration or a damaged database.
#[derive(Debug, thiserror::Error)]
#[error("password can not be hashed or compared: {0}")]
pub(crate) struct PasswordError(String);
