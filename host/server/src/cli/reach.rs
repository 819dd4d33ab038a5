//! What the operator lets sessions reach beyond the process: `--allow-private-networks`, `--allow-env`.
use std::collections::BTreeMap;

use sandbox::Network;

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
    /// Variable of this process's environment that the module `env` may show where a template names it; repeat for more
    #[arg(long = "allow-env", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    env: Vec<String>,
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

    /// The variables, with what they are now.
    pub fn env(&self) -> BTreeMap<String, Option<String>> {
        self.env.iter().map(|name| (name.clone(), std::env::var(name).ok())).collect()
    }
}
