//! Origins as grants write them, and the addresses that scripts name.
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use crate::modules::{Answer, Failure};

/// Longest address, bytes.
pub(super) const URL_BYTES_MAX: usize = 16 << 10;

/// `https://api.example.com`, `http://127.0.0.1:8080`, `https://*.example.org`, or `https://*` for every host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: Hosts,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    One(Host),
    /// Every name beneath this one, but not itself.
    Beneath(String),
    All,
}

impl Origin {
    /// Reads it; the text says what is wrong.
    pub fn parse(text: &str) -> Result<Origin, String> {
        let wrong = |why: &str| Err(format!("origin {text:?}: {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("it begins with http:// or https://");
        };
        let (wild, rest) = match rest.strip_prefix('*') {
            None => (None, rest.to_owned()),
            Some(rest) => match rest.strip_prefix('.') {
                Some(name) => (Some(Hosts::Beneath(String::new())), name.to_owned()),
                // Any host will do to read the rest by.
                None => (Some(Hosts::All), format!("any{rest}")),
            },
        };
        if rest.contains('*') {
            return wrong("`*` stands for the first part of a host, or for all of it");
        }
        let Ok(url) = Url::parse(&format!("{scheme}://{rest}")) else { return wrong("not a URL") };
        if !is_http(&url) {
            return wrong("it begins with http:// or https://");
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_credentials(&url);
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return wrong("not a URL") };
        if !bare || rest.ends_with(['/', '?', '#']) || text.contains(['@', '\\']) || text.contains(char::is_whitespace)
        {
            return wrong("an origin is a scheme, a host and perhaps a port; nothing after that");
        }
        let host = match (wild, host.to_owned()) {
            (_, Host::Domain(name)) if name.ends_with('.') => return wrong("no dot at the end of the host"),
            (None, host) => Hosts::One(host),
            (Some(Hosts::Beneath(_)), Host::Domain(name)) => Hosts::Beneath(name),
            (Some(Hosts::All), Host::Domain(name)) if name == "any" => Hosts::All,
            (Some(_), _) => return wrong("`*` stands for the first part of a host, or for all of it"),
        };
        Ok(Origin { scheme: url.scheme().to_owned(), host, port })
    }

    /// Whether an address is of this origin.
    pub(super) fn covers(&self, url: &Url) -> bool {
        let host = match (&self.host, url.host()) {
            (Hosts::All, Some(_)) => true,
            (Hosts::One(own), Some(host)) => *own == host.to_owned(),
            (Hosts::Beneath(own), Some(Host::Domain(name))) => {
                name.strip_suffix(own.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            _ => false,
        };
        host && self.scheme == url.scheme() && url.port_or_known_default() == Some(self.port)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Origin, D::Error> {
        Origin::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// What a script, or the `Location` of an answer to `base`, names.
pub(super) fn parse_url(text: &str, base: Option<&Url>) -> Answer<Url> {
    let invalid = |why: &str| Err(Failure::new("ERR_INVALID_URL", format!("{}: {why}", shown(text))));
    if text.len() > URL_BYTES_MAX {
        return invalid("the URL is longer than 16 KiB");
    }
    let mut url = match Url::options().base_url(base).parse(text) {
        Ok(url) => url,
        Err(error) => return invalid(&error.to_string()),
    };
    if !is_http(&url) {
        let message = format!("{}: only http: and https: can be fetched", shown(text));
        return Err(Failure::new("ERR_INVALID_PROTOCOL", message));
    }
    if has_credentials(&url) {
        // Not shown: that is what they are.
        let message = "the URL has credentials in it: send a header `authorization` instead";
        return Err(Failure::new("ERR_INVALID_URL", message));
    }
    if url.host_str().is_none_or(|host| host.ends_with('.')) {
        return invalid("write the host without a dot at its end");
    }
    url.set_fragment(None);
    Ok(url)
}

/// An address in messages: its beginning, without what may be private in it.
fn shown(text: &str) -> String {
    let bare = text.split(['?', '#']).next().unwrap_or_default();
    let bare = if bare.contains('@') { "(a URL)" } else { bare };
    bare[..bare.floor_char_boundary(200)].escape_debug().to_string()
}

/// The same of one that was read.
pub(super) fn shown_url(url: &Url) -> String {
    shown(url.as_str())
}

/// `https://host:port` of an address.
pub(super) fn shown_origin(url: &Url) -> String {
    let text = url.origin().ascii_serialization();
    text[..text.floor_char_boundary(300)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_origin_is() {
        let wrong = [
            "",
            "*",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://example.com/",
            "https://example.com/path",
            "file:///",
            "https://example.com?q",
            "https://user@example.com",
            "https://*.*.com",
            "https://a.*.com",
            "https://*a.com",
            "https://example.com.",
            "https://*.127.0.0.1",
            "http://*.1",
            "https://example.com\\",
            " https://example.com",
            "https://*/",
            "https://*@evil.com",
            "https://exa mple.com",
            "https://[::1",
            "data:text/plain,x",
        ];
        for text in wrong {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_an_origin_covers() {
        let covers =
            |origin: &str, url: &str| parse_url(url, None).is_ok_and(|url| Origin::parse(origin).unwrap().covers(&url));
        for (origin, url) in [
            ("https://api.example.com", "https://API.example.COM:443/x?y#z"),
            ("http://127.0.0.1:8080", "http://0x7f.1:8080/"),
            ("http://127.0.0.1:8080", "http://2130706433:8080/"),
            ("http://[::1]:80", "http://[0:0::1]/"),
            ("https://*.example.org", "https://a.b.example.org/"),
            ("https://*", "https://example.org/"),
            ("https://*:8443", "https://[2001:db8::1]:8443/"),
            ("https://bücher.example", "https://xn--bcher-kva.example/"),
        ] {
            assert!(covers(origin, url), "{origin} {url}");
        }
        for (origin, url) in [
            ("https://api.example.com", "http://api.example.com/"),
            ("https://api.example.com", "https://api.example.com:444/"),
            ("https://api.example.com", "https://api.example.com.evil.com/"),
            ("https://api.example.com", "https://api.example.com./"),
            ("https://api.example.com", "https://api.example.com@evil.com/"),
            ("https://api.example.com", "https://evil.com\\@api.example.com/"),
            ("https://api.example.com", "https://evil.com#@api.example.com/"),
            ("https://*.example.org", "https://example.org/"),
            ("https://*.example.org", "https://evilexample.org/"),
            ("https://*.example.org", "https://.example.org/"),
            ("https://*", "http://example.org/"),
            ("https://*", "https://example.org:8443/"),
            ("http://127.0.0.1:8080", "http://127.0.0.2:8080/"),
            ("http://localhost", "http://127.0.0.1/"),
        ] {
            assert!(!covers(origin, url), "{origin} {url}");
        }
    }
}
