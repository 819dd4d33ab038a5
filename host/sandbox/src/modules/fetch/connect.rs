//! Connections: a name is resolved once, every address it has is checked, and one of exactly these is connected to. All
//! connections are made here, also those that the client keeps for the next request, which belong to one session.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::http::Extensions;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Host;

use super::address::{Network, is_among, is_public};
use super::authorities::Authorities;
use crate::modules::{Answer, Failure};
use crate::services::Policy;

/// How long one address may take to connect; another may be tried after that.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the handshake may take.
const TLS_TIME: Duration = Duration::from_secs(10);
/// Names of one session, and of all, that are looked up at once. Each takes a thread of those that files and databases use
/// as well, for as long as name servers please: also when nobody waits for it any more.
const LOOKUPS_MAX: usize = 8;
const LOOKUPS_OF_ALL_MAX: usize = 64;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Makes the connections of one session.
#[derive(Clone)]
pub(super) struct Connector {
    policy: Arc<Policy>,
    /// The grant says that addresses may be reached that are not public.
    private: bool,
    tls: Arc<ClientConfig>,
    lookups: Arc<Semaphore>,
}

/// Why there is no connection, on its way through the client's own error.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Failure);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl Connector {
    pub(super) fn new(policy: Arc<Policy>, private: bool) -> Answer<Connector> {
        let lookups = Arc::new(Semaphore::new(LOOKUPS_MAX));
        let tls = Arc::new(tls(&policy.authorities)?);
        Ok(Connector { policy, private, tls, lookups })
    }

    async fn connect(self, uri: Uri) -> Answer<Stream> {
        let https = uri.scheme_str() == Some("https");
        let host = Host::parse(uri.host().unwrap_or_default())
            .map_err(|_| Failure::new("ERR_INVALID_URL", "the URL has no host"))?;
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let addresses = self.resolve(&host).await?;
        let tcp = connect_any(&host, &addresses, port).await?;
        let _ = tcp.set_nodelay(true);
        if !https {
            return Ok(Stream::Plain(TokioIo::new(tcp)));
        }
        let name = match &host {
            Host::Domain(name) => ServerName::try_from(name.clone()).ok(),
            Host::Ipv4(address) => Some(ServerName::from(IpAddr::V4(*address))),
            Host::Ipv6(address) => Some(ServerName::from(IpAddr::V6(*address))),
        };
        let name =
            name.ok_or_else(|| Failure::new("ERR_TLS", format!("{host}: no name that a certificate could have")))?;
        let shake = TlsConnector::from(self.tls).connect(name, tcp);
        match tokio::time::timeout(TLS_TIME, shake).await {
            Ok(Ok(tls)) => Ok(Stream::Tls(Box::new(TokioIo::new(tls)))),
            // Its text is rustls' own: what is wrong with the certificate, and nothing of the request.
            Ok(Err(error)) => Err(Failure::new("ERR_TLS", format!("{host}: {error}"))),
            Err(_) => Err(Failure::new("ETIMEDOUT", format!("{host}: the TLS handshake took longer than 10 s"))),
        }
    }

    /// Every address of a host, all of them checked.
    async fn resolve(&self, host: &Host) -> Answer<Vec<IpAddr>> {
        let mut addresses = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => match self.policy.hosts.get(name) {
                Some(addresses) => addresses.clone(),
                // Nobody else is asked where this machine is.
                None if name == "localhost" || name.ends_with(".localhost") => {
                    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
                }
                None => look_up(name, Arc::clone(&self.lookups)).await?,
            },
        };
        if addresses.is_empty() {
            return Err(Failure::new("ENOTFOUND", format!("{host}: the name has no address")));
        }
        for address in &addresses {
            self.check(host, *address)?;
        }
        addresses.truncate(ADDRESSES_MAX);
        Ok(addresses)
    }

    /// One bad address is enough: which of them is connected to must not depend on who answers first.
    fn check(&self, host: &Host, address: IpAddr) -> Answer<()> {
        if is_public(address) || (self.private && is_among(&self.policy.private_networks, address)) {
            return Ok(());
        }
        let what = match host {
            Host::Domain(name) => format!("{name} has an address that is not public"),
            _ => format!("{host} is not public"),
        };
        let fix = match (self.private, self.policy.private_networks.as_slice()) {
            (false, _) => "`private` of module 'fetch' in the template would have to be true".to_owned(),
            (true, []) => "the operator would have to allow it: --allow-private-networks".to_owned(),
            (true, networks) => {
                let networks: Vec<String> = networks.iter().map(Network::to_string).collect();
                format!("the operator allows {}: --allow-private-networks", networks.join(", "))
            }
        };
        Err(Failure::new("EPRIVATE", format!("{what}: {fix}")))
    }
}

async fn look_up(name: &str, lookups: Arc<Semaphore>) -> Answer<Vec<IpAddr>> {
    static OF_ALL: OnceLock<Arc<Semaphore>> = OnceLock::new();
    let of_all = OF_ALL.get_or_init(|| Arc::new(Semaphore::new(LOOKUPS_OF_ALL_MAX)));
    let ended = |_| Failure::new("ABORT_ERR", "the session has ended");
    let own = lookups.acquire_owned().await.map_err(ended)?;
    let place = Arc::clone(of_all).acquire_owned().await.map_err(ended)?;
    let asked = name.to_owned();
    let found = tokio::task::spawn_blocking(move || {
        // Given back when the thread is free, and not when nobody waits any more.
        let _places = (own, place);
        (asked.as_str(), 0).to_socket_addrs().map(|found| found.map(|found| found.ip()).collect())
    });
    match found.await {
        Ok(Ok(found)) => Ok(found),
        _ => Err(Failure::new("ENOTFOUND", format!("{name}: no such host, or its name servers don't answer"))),
    }
}

/// The first address that takes the connection.
async fn connect_any(host: &Host, addresses: &[IpAddr], port: u16) -> Answer<TcpStream> {
    let mut last = Failure::new("ENOTFOUND", format!("{host}: the name has no address"));
    for address in addresses {
        match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = io_failure(&format!("{host}:{port}"), &error),
            Err(_) => last = Failure::new("ETIMEDOUT", format!("{host}:{port}: no connection within 10 s")),
        }
    }
    Err(last)
}

/// An error of a socket.
pub(super) fn io_failure(place: &str, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind;
    let (code, what) = match error.kind() {
        ErrorKind::ConnectionRefused => ("ECONNREFUSED", "nothing listens there"),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => ("ECONNRESET", "the connection was closed before the answer was complete"),
        ErrorKind::TimedOut => ("ETIMEDOUT", "no connection in time"),
        ErrorKind::HostUnreachable => ("EHOSTUNREACH", "the host can't be reached"),
        ErrorKind::NetworkUnreachable => ("ENETUNREACH", "the network can't be reached"),
        _ => ("EIO", "the connection failed"),
    };
    Failure::new(code, format!("{place}: {what}"))
}

/// Tickets that resume a TLS session belong to one of ours.
fn tls(authorities: &Authorities) -> Answer<ClientConfig> {
    let mut config = authorities.config().map_err(|why| Failure::new("ERR_TLS", why))?;
    config.resumption = Resumption::in_memory_sessions(16);
    Ok(config)
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Refused>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map_err(Refused) })
    }
}

/// A connection.
pub(super) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().extra(Answered::default())
    }
}

/// Whether a connection has had an answer: the client keeps it for the next request then.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered(Arc<AtomicBool>);

impl Answered {
    pub(super) fn note(extensions: &Extensions) {
        if let Some(Answered(answered)) = extensions.get() {
            answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the connection that failed had one before.
    pub(super) fn before(error: &hyper_util::client::legacy::Error) -> bool {
        let Some(connection) = error.connect_info() else { return false };
        let mut extensions = Extensions::new();
        connection.get_extras(&mut extensions);
        extensions.get().is_some_and(|Answered(answered)| answered.load(Ordering::Relaxed))
    }
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
