//! Tenants' secrets: sealed before they reach the store, opened when a session uses one. A sealed value is bound to its
//! tenant, its name and its origins, so that a row that somebody moved or widened can't be opened.
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use model::{TenantId, Timestamp};
use sandbox::{Lookup, Secret, WebOrigin};
use schemars::JsonSchema;
use serde::Serialize;
use store::{SecretRow, Store};

use crate::clock;
use crate::fault::Fault;

/// Largest value, bytes: a private key with its chain fits.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// Origins of one secret.
pub const ORIGINS_MAX: usize = 100;
const KEY_FILE: &str = "secrets.key";
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;

/// The secrets of all tenants. Clones share the key.
#[derive(Clone)]
pub struct Secrets {
    store: Store,
    cipher: Arc<XChaCha20Poly1305>,
}

/// What is shown of a secret: everything but its value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Secret")]
pub struct SecretFacts {
    /// Scripts call it so.
    pub name: String,
    /// Where `fetch` may send it.
    pub origins: Vec<String>,
    /// When there first was one of this name.
    pub created_at: Timestamp,
    /// When it was last replaced.
    pub updated_at: Timestamp,
}

impl Secrets {
    /// Reads the key of `data_dir`, or makes one, for its owner alone. Blocks.
    pub fn open(store: Store, data_dir: &Path) -> io::Result<Secrets> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
        let key = read_or_create_key(data_dir)?;
        Ok(Secrets { store, cipher: Arc::new(XChaCha20Poly1305::new(&key.into())) })
    }

    /// Creates or replaces one.
    pub async fn put(
        &self,
        tenant: TenantId,
        name: String,
        value: &str,
        origins: &[String],
    ) -> Result<SecretFacts, Fault> {
        if !sandbox::is_secret_name(&name) {
            return Err(Fault::validation(
                "name must begin with a letter or `_` and go on with letters, digits, `_`, `.` and `-`",
            ));
        }
        if value.is_empty() || value.len() > VALUE_BYTES_MAX {
            return Err(Fault::validation(format!("value must have 1 to {VALUE_BYTES_MAX} bytes")));
        }
        if origins.len() > ORIGINS_MAX {
            return Err(Fault::validation(format!("origins must be at most {ORIGINS_MAX}")));
        }
        for origin in origins {
            WebOrigin::parse(origin).map_err(Fault::validation)?;
        }
        let origins = serde_json::to_string(origins).map_err(Fault::internal)?;
        let mut sealed = vec![0; NONCE_LEN];
        getrandom::fill(&mut sealed).map_err(Fault::internal)?;
        let nonce = XNonce::try_from(sealed.as_slice()).map_err(Fault::internal)?;
        let bound = bound(tenant, &name, &origins);
        let payload = Payload { msg: value.as_bytes(), aad: &bound };
        sealed.extend(self.cipher.encrypt(&nonce, payload).map_err(Fault::internal)?);
        let row = self.store.put_secret(tenant, name, origins, sealed, clock::now()).await;
        row.map_err(|error| match error {
            store::Error::Full => Fault::validation(format!("a tenant has at most {} secrets", store::SECRETS_MAX)),
            error => error.into(),
        })
        .and_then(facts)
    }

    /// All of a tenant's, by name.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<SecretFacts>, Fault> {
        self.store.secrets(tenant).await?.into_iter().map(facts).collect()
    }

    /// Removes one, if it is there.
    pub async fn remove(&self, tenant: TenantId, name: String) -> Result<(), Fault> {
        Ok(self.store.remove_secret(tenant, name).await?)
    }

    /// Those of one tenant, for its sessions.
    pub fn of(&self, tenant: TenantId) -> Arc<dyn sandbox::Secrets> {
        Arc::new(OfTenant { secrets: self.clone(), tenant })
    }

    /// Opens one. The text of an error goes to the script.
    async fn reveal(&self, tenant: TenantId, name: String) -> Result<Option<Secret>, String> {
        let found = self.store.sealed_secret(tenant, name.clone()).await.map_err(|error| {
            tracing::error!(%error, "a secret can't be read");
            "it can't be read just now".to_owned()
        })?;
        let Some((origins, sealed)) = found else { return Ok(None) };
        let unusable = |_| "it was sealed with another key, or its row was changed: set it again".to_owned();
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(()).map_err(unusable)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| unusable(()))?;
        let payload = Payload { msg: text, aad: &bound(tenant, &name, &origins) };
        let value = self.cipher.decrypt(&nonce, payload).map_err(|_| unusable(()))?;
        let value = String::from_utf8(value).map_err(|_| unusable(()))?;
        let origins: Vec<String> = serde_json::from_str(&origins).map_err(|_| unusable(()))?;
        // One that this build reads otherwise than the one that took it approves of nothing.
        let origins = origins.iter().filter_map(|origin| WebOrigin::parse(origin).ok()).collect();
        Ok(Some(Secret { value, origins }))
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

#[derive(Debug)]
struct OfTenant {
    secrets: Secrets,
    tenant: TenantId,
}

impl sandbox::Secrets for OfTenant {
    fn secret(&self, name: &str) -> Lookup<Option<Secret>> {
        let (secrets, tenant, name) = (self.secrets.clone(), self.tenant, name.to_owned());
        Box::pin(async move { secrets.reveal(tenant, name).await })
    }
}

fn facts(row: SecretRow) -> Result<SecretFacts, Fault> {
    let SecretRow { name, origins, created_at, updated_at } = row;
    let origins = serde_json::from_str(&origins).map_err(Fault::internal)?;
    Ok(SecretFacts { name, origins, created_at, updated_at })
}

/// What a sealed value belongs to, each part with its length so that none can pass for another.
fn bound(tenant: TenantId, name: &str, origins: &str) -> Vec<u8> {
    let mut bound = tenant.as_uuid().as_bytes().to_vec();
    for part in [name, origins] {
        bound.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound
}

/// Two servers may start on one directory at once: whoever links the key first wins, and the other reads it.
fn read_or_create_key(dir: &Path) -> io::Result<[u8; KEY_LEN]> {
    let path = dir.join(KEY_FILE);
    if let Some(key) = read_key(&path)? {
        return Ok(key);
    }
    let mut key = [0; KEY_LEN];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let private = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = tempfile::Builder::new().prefix(".new-").make_in(dir, private)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    // The key is as lasting as what it opens.
    File::open(dir)?.sync_all()?;
    read_key(&path)?.ok_or_else(|| io::Error::other("the key of secrets vanished"))
}

fn read_key(path: &Path) -> io::Result<Option<[u8; KEY_LEN]>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(1 + KEY_LEN as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let wrong = |_| io::Error::other(format!("{} is not a key of {KEY_LEN} bytes", path.display()));
    bytes.try_into().map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_value_opens_where_it_belongs_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&store::Options::new(dir.path().join("test.db")), clock::now()).unwrap();
        let secrets = Secrets::open(store.clone(), dir.path()).unwrap();
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (tenant, at) = (TenantId::DEFAULT, clock::now());
        let origins = ["https://example.com".to_owned()];
        secrets.put(tenant, "A".into(), "the value", &origins).await.unwrap();
        let opened = secrets.reveal(tenant, "A".into()).await.unwrap().unwrap();
        assert_eq!((opened.value.as_str(), opened.origins.len()), ("the value", 1));
        assert!(!format!("{opened:?} {secrets:?}").contains("the value"));

        let (origins, sealed) = store.sealed_secret(tenant, "A".into()).await.unwrap().unwrap();
        assert!(!sealed.windows(9).any(|part| part == b"the value"));
        let forge = |name: &str, origins: &str, sealed: Vec<u8>| {
            store.put_secret(tenant, name.into(), origins.into(), sealed, at)
        };
        // Another name, wider origins, a changed byte.
        forge("B", &origins, sealed.clone()).await.unwrap();
        forge("C", "[\"https://*\"]", sealed.clone()).await.unwrap();
        assert!(secrets.reveal(tenant, "B".into()).await.is_err());
        assert!(secrets.reveal(tenant, "C".into()).await.is_err());
        forge("A", "[\"https://*\"]", sealed.clone()).await.unwrap();
        assert!(secrets.reveal(tenant, "A".into()).await.is_err());
        for at in [0, NONCE_LEN, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            forge("A", &origins, changed).await.unwrap();
            assert!(secrets.reveal(tenant, "A".into()).await.is_err(), "byte {at}");
        }
        forge("A", &origins, sealed).await.unwrap();
        assert!(Secrets::open(store.clone(), dir.path()).unwrap().reveal(tenant, "A".into()).await.is_ok());
        let other = tempfile::tempdir().unwrap();
        let foreign = Secrets::open(store, other.path()).unwrap();
        assert!(foreign.reveal(tenant, "A".into()).await.is_err(), "another key");
    }
}
