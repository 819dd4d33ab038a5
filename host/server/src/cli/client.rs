//! The HTTP client of the command line: one place that knows paths, time-outs, and what goes wrong on the way.
mod details;
mod follow;
mod sse;

pub use details::Details;
pub use follow::{Event, Execution};

use std::fmt::Write as _;
use std::io::{self, Read};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ureq::http::{Method, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Timeout};

use super::local::usage;
use super::{Globals, Output, printing};

/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer may take, unless a script runs meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer that is read as a whole. A result may have 64 MiB of text, and JSON spells some bytes with six.
const ANSWER_BYTES_MAX: u64 = 512 << 20;
/// Largest list that is read piece by piece: a million events of the longest output.
const STREAM_BYTES_MAX: u64 = 4 << 30;

/// What goes wrong between a command and the server.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody listens there.
    #[error(
        "no vm-system server answers at {url} ({why}): start one with 'vm-system serve', or name another with --server-url"
    )]
    Unreachable {
        /// The server.
        url: String,
        /// In words.
        why: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection to {url} broke ({why}); whether the request had an effect is not known")]
    Broken {
        /// The server.
        url: String,
        /// In words.
        why: String,
    },
    /// What answers there is something else.
    #[error("{url} is not a vm-system server: {why}")]
    Foreign {
        /// The server.
        url: String,
        /// What it answered.
        why: String,
    },
    /// The server refused.
    #[error("api error (status={status}, code={code}): {message}{details}")]
    Api {
        /// HTTP status.
        status: u16,
        /// Error code, see docs/errors.md.
        code: String,
        /// For people.
        message: String,
        /// What it is about.
        details: Details,
    },
}

/// A server, as a client command talks to it.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    output: Output,
}

impl Client {
    /// Does not connect yet.
    pub fn new(globals: &Globals) -> anyhow::Result<Client> {
        let host = checked(globals.server_url.trim())?;
        let url = globals.server_url.trim().trim_end_matches('/').to_owned();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // The API never redirects; who does is something else, and is told as such.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("vm-system/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT_PATIENCE))
            .timeout_connect(Some(CONNECT_PATIENCE))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build());
        if is_loopback(&host) {
            // A proxy has a loopback of its own.
            config = config.proxy(None);
        }
        Ok(Client { agent: config.build().into(), url, output: globals.output })
    }

    /// `--output`.
    pub fn output(&self) -> Output {
        self.output
    }

    /// A request to the path below `/api/v1` that has these segments; each is encoded, whatever is in it.
    pub fn call(&self, method: Method, segments: &[&str]) -> Call<'_> {
        let mut path = "/api/v1".to_owned();
        for segment in segments {
            path.push('/');
            encode(segment, &mut path);
        }
        Call {
            client: self,
            method,
            path,
            queries: 0,
            headers: Vec::new(),
            body: None,
            patience: Some(PATIENCE),
            silence: None,
        }
    }

    /// [`Client::call`] with GET.
    pub fn get(&self, segments: &[&str]) -> Call<'_> {
        self.call(Method::GET, segments)
    }

    /// [`Client::call`] with POST.
    pub fn post(&self, segments: &[&str]) -> Call<'_> {
        self.call(Method::POST, segments)
    }

    fn failed(&self, error: ureq::Error) -> anyhow::Error {
        let url = self.url.clone();
        let unreachable = |why: String| Failure::Unreachable { url: url.clone(), why };
        let seconds = CONNECT_PATIENCE.as_secs();
        match error {
            ureq::Error::HostNotFound => unreachable("host not found".to_owned()),
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                unreachable(format!("no connection within {seconds} seconds"))
            }
            ureq::Error::Io(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                unreachable("connection refused".to_owned())
            }
            ureq::Error::Timeout(_) => Failure::Broken { url, why: "no answer in time".to_owned() },
            ureq::Error::Io(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::BrokenPipe
                        | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Failure::Broken { url, why: e.to_string() }
            }
            ureq::Error::Io(e) if e.kind() == io::ErrorKind::InvalidData => {
                Failure::Foreign { url, why: e.to_string() }
            }
            ureq::Error::Protocol(e) => Failure::Foreign { url, why: format!("it speaks no HTTP: {e}") },
            ureq::Error::LargeResponseHeader(..) => {
                Failure::Foreign { url, why: "the header of its answer is too large".to_owned() }
            }
            ureq::Error::Http(e) => return usage(format!("the request cannot be made: {e}")),
            other => unreachable(other.to_string()),
        }
        .into()
    }

    fn foreign(&self, why: String) -> anyhow::Error {
        Failure::Foreign { url: self.url.clone(), why }.into()
    }
}

/// The host of `url`, if it is one that a server can have.
fn checked(url: &str) -> anyhow::Result<String> {
    let wrong = |why: &str| usage(format!("the server URL '{url}' {why}; it looks like http://127.0.0.1:3210"));
    let uri: Uri = url.parse().map_err(|e| wrong(&format!("is none ({e})")))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err(wrong("is neither http nor https")),
        None => return Err(wrong("has no http:// in front")),
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(wrong("has more than a host, a port and a path"));
    }
    match uri.host() {
        Some(host) if !host.is_empty() => Ok(host.to_owned()),
        _ => Err(wrong("names no host")),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A request that is being put together.
#[derive(Debug)]
pub struct Call<'a> {
    client: &'a Client,
    method: Method,
    path: String,
    queries: usize,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    patience: Option<Duration>,
    silence: Option<Duration>,
}

impl<'a> Call<'a> {
    /// Adds `?name=value`.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.path.push(if self.queries == 0 { '?' } else { '&' });
        self.queries += 1;
        encode(name, &mut self.path);
        self.path.push('=');
        encode(&value.to_string(), &mut self.path);
        self
    }

    /// Adds `?name=value` if there is one.
    pub fn query_if(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// With this body, as JSON.
    pub fn json(self, body: &impl Serialize) -> anyhow::Result<Self> {
        let body = serde_json::to_string(body)?;
        Ok(self.header("Content-Type", "application/json").text(body))
    }

    /// With this body.
    pub fn text(self, body: String) -> Self {
        self.bytes(body.into_bytes())
    }

    /// With this body.
    pub fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Waits for the answer as long as it takes: a script runs meanwhile, and the template limits that.
    pub fn patient(mut self) -> Self {
        self.patience = None;
        self
    }

    /// The same, but when nothing at all comes for that long, the connection counts as broken.
    fn live(mut self, silence: Duration) -> Self {
        self.silence = Some(silence);
        self.patient()
    }

    /// Sends it and reads the answer.
    pub fn send(self) -> anyhow::Result<Answer> {
        let client = self.client;
        let said = self.said();
        let text = self.stream()?.text(ANSWER_BYTES_MAX)?;
        if let Err(e) = serde_json::from_str::<&RawValue>(&text) {
            return Err(client.foreign(format!("{said} answered no JSON ({e})")));
        }
        Ok(Answer { text, said, client: client.clone() })
    }

    /// Sends it and prints the text of this type that is answered, whatever `--output` says, without what would move a
    /// terminal's cursor.
    pub fn print_text(self, kind: &str) -> anyhow::Result<ExitCode> {
        let (client, said, stream) = (self.client, self.said(), self.stream()?);
        if !stream.body.mime_type().is_some_and(|found| found.eq_ignore_ascii_case(kind)) {
            return Err(client.foreign(format!("{said} answered no {kind}")));
        }
        let shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        printing::out(&stream.text(ANSWER_BYTES_MAX)?.trim_end().chars().filter(shown).collect::<String>())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Sends it and writes what is answered, as it is. Fails where that ends before it should.
    pub fn copy(self, to: &mut impl io::Write) -> anyhow::Result<()> {
        let (client, stream) = (self.client, self.stream()?);
        let mut reader = stream.body.into_reader();
        let mut piece = vec![0; 64 << 10];
        loop {
            let len = reader.read(&mut piece).map_err(|error| client.failed(error.into()))?;
            if len == 0 {
                return Ok(());
            }
            to.write_all(&piece[..len])?;
        }
    }

    /// Sends it and hands over each element of the list that is answered, while it arrives. However long that takes
    /// altogether, it goes on.
    pub fn each<T: DeserializeOwned>(self, then: impl FnMut(T) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let (client, said) = (self.client, self.said());
        let reader = io::BufReader::new(self.live(PATIENCE).stream()?.body.into_reader().take(STREAM_BYTES_MAX));
        let mut stopped = None;
        let each = Each { then, stopped: &mut stopped, element: std::marker::PhantomData::<T> };
        let read = each.deserialize(&mut serde_json::Deserializer::from_reader(reader));
        match (stopped, read) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(e)) if e.is_io() => Err(client.failed(io::Error::from(e).into())),
            (None, Err(e)) => Err(client.foreign(format!("{said} answered something else than a list ({e})"))),
        }
    }

    fn said(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Sends it. An answer that is none of success is an error already.
    fn stream(self) -> anyhow::Result<Stream> {
        let client = self.client;
        let said = self.said();
        let mut request =
            ureq::http::Request::builder().method(self.method).uri(format!("{}{}", client.url, self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let wrong = |e: ureq::http::Error| usage(format!("the request cannot be made: {e}"));
        let (patience, silence) = (self.patience, self.silence);
        let response = match self.body {
            Some(body) => {
                let request = client.agent.configure_request(request.body(body).map_err(wrong)?);
                client.agent.run(request.timeout_global(patience).timeout_per_read(silence).build())
            }
            None => {
                let request = client.agent.configure_request(request.body(()).map_err(wrong)?);
                client.agent.run(request.timeout_global(patience).timeout_per_read(silence).build())
            }
        };
        let (head, body) = response.map_err(|error| client.failed(error))?.into_parts();
        let stream = Stream { status: head.status.as_u16(), body, client: client.clone(), said };
        if head.status.is_success() { Ok(stream) } else { Err(stream.refusal()?) }
    }
}

/// The begin of an answer whose body is still to be read.
struct Stream {
    status: u16,
    body: Body,
    client: Client,
    said: String,
}

impl Stream {
    fn text(self, bytes_max: u64) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        let read = self.body.into_reader().take(bytes_max + 1).read_to_end(&mut bytes);
        read.map_err(|e| self.client.failed(e.into()))?;
        if bytes.len() as u64 > bytes_max {
            anyhow::bail!("{}: the answer is larger than {}", self.said, printing::bytes(bytes_max));
        }
        String::from_utf8(bytes).map_err(|_| self.client.foreign(format!("{} answered no text", self.said)))
    }

    fn is_event_stream(&self) -> bool {
        self.body.mime_type().is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
    }

    fn refusal(self) -> anyhow::Result<anyhow::Error> {
        #[derive(Deserialize)]
        struct Envelope {
            error: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            code: String,
            message: String,
            details: Option<Details>,
        }
        let (client, said, status) = (self.client.clone(), self.said.clone(), self.status);
        let kind = self.body.mime_type().unwrap_or("something nameless").to_owned();
        let text = self.text(1 << 20)?;
        Ok(match serde_json::from_str(&text) {
            Ok(Envelope { error: Inner { code, message, details } }) => {
                Failure::Api { status, code, message, details: details.unwrap_or_default() }.into()
            }
            Err(_) => client.foreign(format!("{said} answered status {status} and {kind}")),
        })
    }
}

/// JSON that the server answered.
#[derive(Debug)]
pub struct Answer {
    text: String,
    said: String,
    client: Client,
}

impl Answer {
    /// What it says.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> anyhow::Result<T> {
        serde_json::from_str(&self.text).map_err(|e| {
            self.client.foreign(format!("{} answered something else than what was asked for ({e})", self.said))
        })
    }

    /// Prints it: itself with `--output json`, else what `lines` makes of it.
    pub fn show<'a, T: Deserialize<'a>>(&'a self, lines: impl FnOnce(T) -> Vec<String>) -> anyhow::Result<ExitCode> {
        match self.client.output {
            Output::Json => self.print(),
            Output::Table => {
                printing::out(&lines(self.parse()?).join("\n"))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// Prints it as JSON whatever `--output` says.
    pub fn print(&self) -> anyhow::Result<ExitCode> {
        printing::out(&printing::indent(&self.text))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Hands over the elements of a list one by one.
struct Each<'a, T, F> {
    then: F,
    stopped: &'a mut Option<anyhow::Error>,
    element: std::marker::PhantomData<T>,
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> anyhow::Result<()>> DeserializeSeed<'de> for Each<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> anyhow::Result<()>> Visitor<'de> for Each<'_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            if let Err(error) = (self.then)(element) {
                *self.stopped = Some(error);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> anyhow::Result<Client> {
        let server_url = url.to_owned();
        Client::new(&Globals { db: "x".into(), data_dir: None, server_url, output: Output::Table })
    }

    #[test]
    fn segments_and_queries_are_encoded() {
        let client = client("http://h:1/base/").unwrap();
        let call = client.get(&["templates", "a/../b c", "@s/p-1.0%?#π"]).query("status", "a&b=c").query("limit", 5);
        assert_eq!(call.path, "/api/v1/templates/a%2F..%2Fb%20c/%40s%2Fp-1.0%25%3F%23%CF%80?status=a%26b%3Dc&limit=5");
        assert_eq!(client.url, "http://h:1/base");
    }

    #[test]
    fn a_server_is_named_by_a_url() {
        for url in ["http://127.0.0.1:3210", " https://h/x/ ", "http://[::1]:1"] {
            assert!(client(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "h",
            "127.0.0.1:3210",
            "localhost:3210",
            "ftp://h",
            "http://",
            "http://h?x",
            "http://h#x",
            "http://a b",
        ] {
            assert!(client(url).unwrap_err().to_string().contains("http://127.0.0.1:3210"), "{url}");
        }
    }

    #[test]
    fn the_loopback_has_many_names() {
        assert!(["localhost", "LOCALHOST", "127.0.0.9", "[::1]"].iter().all(|host| is_loopback(host)));
        assert!(!["localhost.example", "10.0.0.1", "[::2]", ""].iter().any(|host| is_loopback(host)));
    }
}
