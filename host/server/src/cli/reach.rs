//! What the operator lets sessions reach beyond the process: `--allow-private-networks`, `--trust-ca`, `--allow-env`.
use std::collections::BTreeMap;

use sandbox::{Authorities, Network};

/// What scripts may reach where their template grants it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Reach {
    /// Networks beyond the public internet that `fetch` may reach where a template grants `private`: addresses or networks
    /// such as 10.1.0.0/16, with commas between. Without a value: this machine, 10/8, 172.16/12, 192.168/16 and fc00::/7
    /// [default: none]
    #[arg(
        long = "allow-private-networks",
        value_name = "NETWORKS",
        num_args = 0..=1,
        require_equals = true,
        value_delimiter = ',',
        default_missing_value = ""
    )]
    private_networks: Vec<Wanted>,
    /// File of certificates in PEM: authorities that `fetch` trusts beside those that Mozilla does; repeat for more
    #[arg(long = "trust-ca", value_name = "FILE", value_parser = authority)]
    authorities: Vec<Authority>,
    /// Variable of this process's environment that the module `env` may show where a template names it; repeat for more
    #[arg(long = "allow-env", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    env: Vec<String>,
}

/// The text of a file that holds certificates.
#[derive(Clone, Debug)]
struct Authority(Vec<u8>);

/// Read at once: a file that is none is told before anything starts.
fn authority(path: &str) -> Result<Authority, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    Authorities::default().add(&pem).map_err(|error| error.to_string())?;
    Ok(Authority(pem))
}

/// One network, or those that are private.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Private,
    One(Network),
}

impl std::str::FromStr for Wanted {
    type Err = sandbox::NetworkError;

    fn from_str(text: &str) -> Result<Wanted, sandbox::NetworkError> {
        if text.is_empty() { Ok(Wanted::Private) } else { text.parse().map(Wanted::One) }
    }
}

impl Reach {
    /// The networks.
    pub fn private_networks(&self) -> Vec<Network> {
        let networks = self.private_networks.iter().map(|wanted| match wanted {
            Wanted::Private => Network::PRIVATE.to_vec(),
            Wanted::One(network) => vec![*network],
        });
        networks.collect::<Vec<_>>().concat()
    }

    /// The authorities.
    pub fn authorities(&self) -> Authorities {
        let mut authorities = Authorities::default();
        for Authority(pem) in &self.authorities {
            // Each was read once already.
            let _ = authorities.add(pem);
        }
        authorities
    }

    /// The variables, with what they are now.
    pub fn env(&self) -> BTreeMap<String, Option<String>> {
        self.env.iter().map(|name| (name.clone(), std::env::var(name).ok())).collect()
    }
}
