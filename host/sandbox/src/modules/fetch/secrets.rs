//! Secrets in requests: a header says `{{secret:NAME}}`, the value is put there here, on its way out, and what comes back
//! has the placeholder again wherever the value stands.
use std::collections::BTreeMap;

use hyper::body::Bytes;
use url::Url;

use super::Grant;
use super::origin::shown_origin;
use crate::modules::{Answer, Failure};
use crate::services::{Secret, Services, is_secret_name};

const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";

/// The names that a header's value mentions.
pub(super) fn names(value: &str) -> Answer<Vec<&str>> {
    let mut names = Vec::new();
    for part in value.split(OPEN).skip(1) {
        match part.split_once(CLOSE) {
            Some((name, _)) if is_secret_name(name) => names.push(name),
            _ => return Err(Failure::new("EINVAL", "a header has `{{secret:` without a name and `}}`")),
        }
    }
    Ok(names)
}

/// The secrets of one request.
#[derive(Debug, Default)]
pub(super) struct Used(BTreeMap<String, Secret>);

impl Used {
    /// Looks them up; they are granted already.
    pub(super) async fn look_up(names: Vec<String>, services: &Services) -> Answer<Used> {
        let mut used = BTreeMap::new();
        for name in names {
            let none = || Failure::new("ENOSECRET", "no secrets are kept here: `vm-system serve` keeps them");
            let found = services.secrets.as_ref().ok_or_else(none)?.secret(&name).await;
            let found = found.map_err(|why| Failure::new("EIO", format!("secret {name}: {why}")))?;
            let absent =
                || Failure::new("ENOSECRET", format!("there is no secret {name}: `vm-system secret set {name}`"));
            used.insert(name.clone(), found.ok_or_else(absent)?);
        }
        Ok(Used(used))
    }

    /// A header's value as it is sent to `url`, if everyone agrees: the grant, and whoever keeps the secret. `left`: bytes that
    /// it may have; a name of some letters, said often, may stand for a hundred megabytes.
    pub(super) fn fill(&self, value: &str, url: &Url, grant: &Grant, left: usize) -> Answer<String> {
        let mut parts = value.split(OPEN);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once(CLOSE).unwrap_or((part, ""));
            let secret =
                self.0.get(name).ok_or_else(|| Failure::new("ENOSECRET", format!("there is no secret {name}")))?;
            let granted = grant.secrets.get(name).ok_or_else(|| not_granted(name))?;
            let origin = shown_origin(url);
            if !granted.is_empty() && !granted.iter().any(|origin| origin.covers(url)) {
                return Err(Failure::not_granted(
                    "fetch",
                    &format!("secrets.{name}"),
                    format!("sending secret {name} to {origin}"),
                ));
            }
            if !secret.origins.iter().any(|origin| origin.covers(url)) {
                let fix = format!("`vm-system secret set {name} --origin {origin}`");
                return Err(Failure::new("NOT_GRANTED", format!("secret {name} is not approved for {origin}: {fix}")));
            }
            if out.len() + secret.value.len() + rest.len() > left {
                return Err(Failure::new("EMSGSIZE", "the headers with their secrets are too large"));
            }
            out.push_str(&secret.value);
            out.push_str(rest);
        }
        Ok(out)
    }

    /// What has to be taken out of the answer again.
    pub(super) fn sent(&self) -> Sent {
        let mut values: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (name, secret) in self.0.iter().filter(|(_, secret)| !secret.value.is_empty()) {
            let shown = format!("{OPEN}{name}{CLOSE}").into_bytes();
            // As it stands, and as an address or a form would have it.
            let encoded: String = url::form_urlencoded::byte_serialize(secret.value.as_bytes()).collect();
            let escaped = encoded.replace('+', "%20");
            for value in [secret.value.clone(), encoded, escaped] {
                if !values.iter().any(|(known, _)| *known == value.as_bytes()) {
                    values.push((value.into_bytes(), shown.clone()));
                }
            }
        }
        // Of two where one begins with the other, the longer one goes first.
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Sent { values, carried: Vec::new() }
    }
}

pub(super) fn not_granted(name: &str) -> Failure {
    Failure::not_granted("fetch", &format!("secrets.{name}"), format!("sending secret {name}"))
}

/// Takes secrets out of what comes back, piece by piece. It keeps honest servers' echoes from a script; whoever is sent a
/// secret can always tell it in other words.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Values, the longest first, and what stands in their place.
    values: Vec<(Vec<u8>, Vec<u8>)>,
    /// The end of what came so far: a value may begin there.
    carried: Vec<u8>,
}

impl Sent {
    /// One text.
    pub(super) fn without_all(&self, text: &[u8]) -> Vec<u8> {
        let mut whole = Sent { values: self.values.clone(), carried: Vec::new() };
        let mut out = whole.without(Bytes::copy_from_slice(text)).to_vec();
        out.extend_from_slice(&whole.rest());
        out
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether one of them stands in an address, as it is or escaped in any way.
    pub(super) fn is_within(&self, address: &[u8]) -> bool {
        let spaced: Vec<u8> = address.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let unescaped = |text| percent_encoding::percent_decode(text).collect();
        let texts: [Vec<u8>; 3] = [address.to_vec(), unescaped(address), unescaped(&spaced)];
        let within = |value: &[u8]| texts.iter().any(|text| text.windows(value.len()).any(|part| part == value));
        self.values.iter().any(|(value, _)| within(value))
    }

    /// The next piece of a stream, as far as it is certain.
    pub(super) fn without(&mut self, data: Bytes) -> Bytes {
        let Some((longest, _)) = self.values.first() else { return data };
        let longest = longest.len();
        self.carried.extend_from_slice(&data);
        // Where a value could still begin that is not all there.
        let certain = (self.carried.len() + 1).saturating_sub(longest);
        self.replaced(certain)
    }

    /// What is left at the end.
    pub(super) fn rest(&mut self) -> Bytes {
        self.replaced(self.carried.len())
    }

    /// Everything that begins before `end`.
    fn replaced(&mut self, end: usize) -> Bytes {
        let (mut out, mut at) = (Vec::with_capacity(end), 0);
        while at < end {
            let here = &self.carried[at..];
            match self.values.iter().find(|(value, _)| here.starts_with(value)) {
                Some((value, shown)) => {
                    out.extend_from_slice(shown);
                    at += value.len();
                }
                None => {
                    out.push(here[0]);
                    at += 1;
                }
            }
        }
        self.carried.drain(..at.min(self.carried.len()));
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(values: &[&str]) -> Sent {
        let secret = |value: &&str| Secret { value: (*value).to_owned(), origins: Vec::new() };
        Used(values.iter().enumerate().map(|(at, value)| (format!("S{at}"), secret(value))).collect()).sent()
    }

    #[test]
    fn values_go_wherever_a_piece_ends() {
        let text = "a=hunter2&b=hunter22;hunter hunter2";
        let want = "a={{secret:S0}}&b={{secret:S1}};hunter {{secret:S0}}";
        for size in 1..text.len() {
            let mut stream = sent(&["hunter2", "hunter22"]);
            let mut out = Vec::new();
            for part in text.as_bytes().chunks(size) {
                out.extend_from_slice(&stream.without(Bytes::copy_from_slice(part)));
            }
            out.extend_from_slice(&stream.rest());
            assert_eq!(String::from_utf8(out).unwrap(), want, "in pieces of {size}");
        }
        let within = |address: &str| sent(&["ab/c+d== "]).is_within(address.as_bytes());
        for address in ["?t=ab/c+d== ", "?t=ab/c%2Bd%3D%3D%20", "?t=ab%2fc%2bd==+", "/%61b/c%2bd%3d=%20&x"] {
            assert!(within(address), "{address}");
        }
        assert!(!within("?t=ab/c d==") && !within("%") && !within("%a") && !within(""));
        let encoded = sent(&["a b/ä"]).without_all("?q=a+b%2F%C3%A4&r=a%20b%2F%C3%A4".as_bytes());
        assert_eq!(String::from_utf8(encoded).unwrap(), "?q={{secret:S0}}&r={{secret:S0}}");
    }

    #[test]
    fn placeholders() {
        assert_eq!(names("Bearer {{secret:A}}{{secret:b.c-d}}").unwrap(), ["A", "b.c-d"]);
        assert_eq!(names("nothing").unwrap(), Vec::<&str>::new());
        for wrong in
            ["{{secret:", "{{secret:}}", "{{secret:a b}}", "{{secret:a", "{{secret:{{secret:a}}}}", "{{secret:1}}"]
        {
            assert!(names(wrong).is_err(), "{wrong}");
        }
    }
}
