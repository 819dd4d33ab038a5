//! The registry's client: which versions a package has, and one version's archive, checked.
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use semver::{Version, VersionReq};
use serde::Deserialize;
use sha2::{Digest as _, Sha512};
use ureq::tls::{RootCerts, TlsConfig};

use super::config::{self, Config};

/// Largest list of versions, bytes; packages with thousands of them need some.
const PACKUMENT_BYTES_MAX: u64 = 64 << 20;
/// Largest archive, bytes.
pub(super) const ARCHIVE_BYTES_MAX: u64 = 32 << 20;
const REDIRECTS_MAX: u32 = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// One download from begin to end.
const TIMEOUT: Duration = Duration::from_secs(300);
/// The short form of a package's document: versions and where they lie, no texts.
const ABBREVIATED: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
/// Versions that an error names.
const SHOWN: usize = 5;

/// Asks registries.
pub(super) struct Client {
    agent: ureq::Agent,
    config: Config,
}

/// One version of a package, as its archive.
pub(super) struct Archive {
    /// The exact version.
    pub(super) version: Version,
    /// A gzipped tar file of the integrity that the registry vouches for.
    pub(super) bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Packument {
    #[serde(rename = "dist-tags", default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    versions: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    dist: Dist,
}

#[derive(Deserialize)]
struct Dist {
    tarball: String,
    integrity: Option<String>,
}

impl Client {
    pub(super) fn new(config: Config) -> Client {
        // The system's certificates; a proxy is the environment's.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("vm-system/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(REDIRECTS_MAX)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            .build();
        Client { agent: agent.into(), config }
    }

    /// The archive of `package` in the version that `wanted` means: one version, a tag, a range; none is the tag `latest`.
    pub(super) fn fetch(&self, package: &str, wanted: Option<&str>) -> anyhow::Result<Archive> {
        let path = config::path_of(package)?;
        let registry = self.config.registry(package)?;
        let document = self.get(&format!("{registry}/{path}"), ABBREVIATED, PACKUMENT_BYTES_MAX)?;
        let document = document.with_context(|| format!("there is no package {package:?} at {registry}"))?;
        let document: Packument = serde_json::from_slice(&document)
            .with_context(|| format!("{registry} says nothing that is understood about {package}"))?;
        let version = choose(package, &document, wanted)?;
        let Some(Entry { dist }) = document.versions.get(&version.to_string()) else { bail!("no version {version}") };
        let expected = sha512s(dist.integrity.as_deref());
        if expected.is_empty() {
            bail!("{package} {version}: the registry vouches for it with no SHA-512, so it is not taken");
        }
        let archive = self.get(&dist.tarball, "application/octet-stream, */*", ARCHIVE_BYTES_MAX)?;
        let bytes = archive
            .with_context(|| format!("{package} {version}: its archive is not at {}", config::shown(&dist.tarball)))?;
        let found = Sha512::digest(&bytes);
        if !expected.iter().any(|sum| sum.as_slice() == found.as_slice()) {
            bail!(
                "{package} {version}: the archive is not what the registry vouches for (its SHA-512 differs); nothing was kept"
            );
        }
        Ok(Archive { version, bytes })
    }

    /// None: 404.
    fn get(&self, url: &str, accept: &str, max: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let shown = config::shown(url);
        if !url.starts_with("https://") && !url.starts_with("http://") {
            bail!("{shown:?} is no http or https URL");
        }
        let mut request = self.agent.get(url).header("Accept", accept);
        if let Some(authorization) = self.config.authorization(url) {
            request = request.header("Authorization", authorization);
        }
        // Redirects don't lead from an encrypted connection to a plain one.
        let request = request.config().https_only(url.starts_with("https://")).build();
        let mut answer = request.call().map_err(|error| told(shown, &error))?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status @ (401 | 403) => {
                bail!("{shown} answers {status}: credentials for it belong into .npmrc (//HOST/:_authToken=...)")
            }
            status => bail!("{shown} answers {status}"),
        }
        match answer.body_mut().with_config().limit(max).read_to_vec() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ureq::Error::BodyExceedsLimit(_)) => bail!("{shown} is larger than {max} bytes"),
            Err(error) => Err(told(shown, &error)),
        }
    }
}

fn told(url: &str, error: &ureq::Error) -> anyhow::Error {
    let advice = match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Io(_) | ureq::Error::Timeout(_) => {
            "; is there a network, and is the registry right (npm config get registry, --registry URL)?"
        }
        _ => "",
    };
    anyhow::anyhow!("cannot reach {url}: {error}{advice}")
}

/// The SHA-512 sums of a `dist.integrity`. Weaker ones count for nothing.
fn sha512s(integrity: Option<&str>) -> Vec<Vec<u8>> {
    let sums = integrity.unwrap_or_default().split_whitespace().filter_map(|one| one.strip_prefix("sha512-"));
    sums.filter_map(|sum| STANDARD.decode(sum.split('?').next()?).ok()).collect()
}

fn choose(package: &str, document: &Packument, wanted: Option<&str>) -> anyhow::Result<Version> {
    let wanted = wanted.unwrap_or("latest");
    let exact = wanted.strip_prefix(['v', '=']).unwrap_or(wanted);
    let named = document.tags.get(wanted).map_or(exact, String::as_str);
    let mut versions: Vec<Version> = document.versions.keys().filter_map(|text| Version::parse(text).ok()).collect();
    versions.sort_by_key(|version| (version.pre.is_empty(), version.clone()));
    if let Some(found) = versions.iter().find(|version| version.to_string() == named) {
        return Ok(found.clone());
    }
    let ranges: Vec<VersionReq> = wanted.split("||").filter_map(range).collect();
    if let Some(found) = versions.iter().rev().find(|version| ranges.iter().any(|range| range.matches(version))) {
        return Ok(found.clone());
    }
    let newest: Vec<String> = versions.iter().rev().take(SHOWN).map(Version::to_string).collect();
    let tags: Vec<&str> = document.tags.keys().map(String::as_str).take(SHOWN).collect();
    bail!("{package} has no version {wanted:?}; the newest are {}; tags: {}", newest.join(", "), tags.join(", "))
}

/// npm's ranges in the words of the `semver` crate: parts are joined by commas, and `1.2` is `1.2.*`.
fn range(text: &str) -> Option<VersionReq> {
    let text = text.trim();
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match parts.last_mut() {
            // `>= 1` is one part.
            Some(operator) if operator.ends_with(['<', '>', '=', '^', '~']) => operator.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    let bare = |part: &String| part.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<String> =
        parts.iter().map(|part| if bare(part) { format!("={part}") } else { part.clone() }).collect();
    VersionReq::parse(&parts.join(", ").replace(".x", ".*")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Packument {
        let versions = ["1.0.0", "1.2.0", "1.2.10", "1.10.0", "2.0.0-rc.1", "2.0.0", "3.0.0-beta.1", "nonsense"];
        let dist = || Entry { dist: Dist { tarball: String::new(), integrity: None } };
        Packument {
            tags: [("latest".to_owned(), "1.10.0".to_owned()), ("next".to_owned(), "3.0.0-beta.1".to_owned())].into(),
            versions: versions.iter().map(|version| ((*version).to_owned(), dist())).collect(),
        }
    }

    #[test]
    fn versions_tags_and_ranges() {
        let document = document();
        let chosen = |wanted| choose("x", &document, wanted).map(|version| version.to_string());
        for (wanted, version) in [
            ("1.2.0", "1.2.0"),
            ("v1.2.0", "1.2.0"),
            ("next", "3.0.0-beta.1"),
            ("1", "1.10.0"),
            ("1.2", "1.2.10"),
            ("1.2.x", "1.2.10"),
            ("^1.0.0", "1.10.0"),
            ("~1.2.0", "1.2.10"),
            (">=1 <2", "1.10.0"),
            (">= 1.0.0 < 1.10.0", "1.2.10"),
            ("9 || 1.0", "1.0.0"),
            ("*", "2.0.0"),
        ] {
            assert_eq!(chosen(Some(wanted)).unwrap(), version, "{wanted}");
        }
        assert_eq!(chosen(None).unwrap(), "1.10.0");
        for wrong in ["4", "1.2.3", "nonsense", "nothing", "", "../x"] {
            let error = chosen(Some(wrong)).unwrap_err().to_string();
            assert!(error.contains("2.0.0, 1.10.0, 1.2.10") && error.contains("next"), "{error}");
        }
    }

    #[test]
    fn only_sha512_vouches() {
        assert_eq!(sha512s(Some("sha1-AAAA sha512-AQID?x")), [vec![1, 2, 3]]);
        for weak in [None, Some(""), Some("sha1-AAAA"), Some("sha512-!"), Some("sha256-AAAA")] {
            assert!(sha512s(weak).is_empty(), "{weak:?}");
        }
    }
}
