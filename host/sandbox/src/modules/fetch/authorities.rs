//! Whose word about servers is taken: Mozilla's roots, which are compiled in, and what the operator adds.
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Certificates of authorities that are trusted beside Mozilla's.
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    added: Vec<CertificateDer<'static>>,
    /// Made when the first session needs it; all of them share the roots.
    config: Arc<OnceLock<Result<ClientConfig, String>>>,
}

/// Why a file names no authorities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthoritiesError(String);

impl Authorities {
    /// Adds every certificate of a text in PEM, of which there has to be one.
    pub fn add(&mut self, pem: &[u8]) -> Result<(), AuthoritiesError> {
        let mut scratch = RootCertStore::empty();
        let before = self.added.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| AuthoritiesError(format!("not PEM: {error}")))?;
            let what = |error| AuthoritiesError(format!("certificate {}: {error}", self.added.len() - before + 1));
            scratch.add(certificate.clone()).map_err(what)?;
            self.added.push(certificate);
        }
        self.config = Arc::default();
        if self.added.len() > before { Ok(()) } else { Err(AuthoritiesError("no certificate in PEM".to_owned())) }
    }

    pub(super) fn config(&self) -> Result<ClientConfig, String> {
        self.config.get_or_init(|| self.make()).clone()
    }

    fn make(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in &self.added {
            roots.add(certificate.clone()).map_err(|error| error.to_string())?;
        }
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
