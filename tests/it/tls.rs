//! `fetch` over TLS, against a server whose certificates are made here: one that is right, and some that are wrong in one way.
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::harness::run_js;

/// An authority of the tests' own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let body = STANDARD.encode(params.self_signed(&key).unwrap().der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A server with a certificate for `name`; its port.
    fn serve(&self, name: &str, expired: bool) -> u16 {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
                // A client that does not like the certificate goes away here.
                let _ = tls.read(&mut [0; 4096]);
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        });
        port
    }
}

/// What a script sees of an address, by code and message; with these authorities' certificates in a file of the operator's.
fn fetched(url: &str, trusted: &[&Authority]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), trusted.iter().map(|authority| authority.pem.as_str()).collect::<String>()).unwrap();
    let module = format!(r#"fetch={{"origins":["{url}"],"private":true}}"#);
    let mut flags = vec!["--allow-private-networks=127.0.0.1,::1", "--module", &module];
    if !trusted.is_empty() {
        flags.extend(["--trust-ca", file.path().to_str().unwrap()]);
    }
    let script = format!(
        "try {{ console.log(await (await fetch('{url}/')).text()); }} catch (e) {{ console.log(e.name, e.code, e.message); }}"
    );
    let ran = run_js(&flags, &script);
    assert_eq!(ran.status, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.stdout.trim_end().to_owned()
}

#[test]
fn a_certificate_is_taken_if_someone_vouches_for_it() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let url = format!("https://localhost:{}", authority.serve("localhost", false));
    let unknown = "TypeError ERR_TLS localhost: invalid peer certificate: UnknownIssuer";
    assert_eq!(fetched(&url, &[]), unknown);
    assert_eq!(fetched(&url, &[&other]), unknown);
    assert_eq!(fetched(&url, &[&authority]), "hi");
    assert_eq!(fetched(&url, &[&other, &authority]), "hi", "every certificate of the file");
    let address = format!("https://127.0.0.1:{}", authority.serve("127.0.0.1", false));
    assert_eq!(fetched(&address, &[&authority]), "hi", "an address may be a certificate's name");
}

#[test]
fn a_certificate_is_for_its_name_and_its_time() {
    let authority = Authority::new("ours");
    for (name, host) in [("other.example", "localhost"), ("localhost", "127.0.0.1")] {
        let url = format!("https://{host}:{}", authority.serve(name, false));
        let said = fetched(&url, &[&authority]);
        let start =
            format!("TypeError ERR_TLS {host}: invalid peer certificate: certificate not valid for name \"{host}\"");
        assert!(said.starts_with(&start), "{said}");
    }
    let url = format!("https://localhost:{}", authority.serve("localhost", true));
    let said = fetched(&url, &[&authority]);
    let start = "TypeError ERR_TLS localhost: invalid peer certificate: certificate expired";
    assert!(said.starts_with(start), "{said}");
    // And nothing but TLS is spoken.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in plain.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        }
    });
    let said = fetched(&format!("https://localhost:{port}"), &[&authority]);
    assert!(said.starts_with("TypeError ERR_TLS localhost: "), "{said}");
}

#[test]
fn a_file_that_holds_no_certificate_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (text, why) in [
        ("", "no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "not PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1: "),
    ] {
        std::fs::write(path, text).unwrap();
        let ran = run_js(&["--trust-ca", path], "0");
        assert_eq!(ran.status, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}
