//! Which registry packages come from, and who asks: what npm's own configuration says.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::local::usage;

const FILE: &str = ".npmrc";
/// Largest configuration file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The settings that matter here, from the command line, the environment, the project's and the user's `.npmrc`.
#[derive(Debug)]
pub(super) struct Config {
    registry: Option<String>,
    /// The keys of the files; the project's go before the user's.
    settings: BTreeMap<String, String>,
}

impl Config {
    /// `flag` goes before everything else.
    pub(super) fn load(flag: Option<&str>) -> anyhow::Result<Config> {
        let mut settings = BTreeMap::new();
        let user =
            variable("npm_config_userconfig").or_else(|| Some(home()?.join(FILE).to_string_lossy().into_owned()));
        for path in user.map(PathBuf::from).into_iter().chain(project_file()) {
            match read(&path) {
                Ok(text) => settings.extend(parse(&text, |name| std::env::var(name).ok())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(usage(format!("cannot read {}: {error}", path.display()))),
            }
        }
        let registry = flag.map(str::to_owned).or_else(|| variable("npm_config_registry"));
        let registry = registry.or_else(|| settings.get("registry").cloned());
        Ok(Config { registry, settings })
    }

    /// Where `package` is asked for: without a slash at the end.
    pub(super) fn registry(&self, package: &str) -> anyhow::Result<String> {
        let scope = package.split_once('/').map(|(scope, _)| format!("{scope}:registry"));
        let scoped = scope.and_then(|key| self.settings.get(&key).cloned());
        let chosen = match scoped.or_else(|| self.registry.clone()) {
            Some(url) => url,
            None => ask_npm()?,
        };
        checked(&chosen)
    }

    /// The `Authorization` header for `url`: of the key that names the longest part of it.
    pub(super) fn authorization(&self, url: &str) -> Option<String> {
        let (_, rest) = url.split_once(':')?;
        let mut place = rest.split(['?', '#']).next()?;
        while let Some((shorter, _)) = place.rsplit_once('/').filter(|(shorter, _)| shorter.len() > 1) {
            let key = |what: &str| self.settings.get(&format!("{shorter}/:{what}")).filter(|value| !value.is_empty());
            if let Some(token) = key("_authToken") {
                return Some(format!("Bearer {token}"));
            }
            if let Some(pair) = key("_auth") {
                return Some(format!("Basic {pair}"));
            }
            if let (Some(user), Some(password)) = (key("username"), key("_password")) {
                let password = String::from_utf8(STANDARD.decode(password).ok()?).ok()?;
                return Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
            }
            place = shorter;
        }
        None
    }
}

fn checked(url: &str) -> anyhow::Result<String> {
    let url = url.trim().trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    match host {
        Some(host) if host.contains('@') => {
            Err(usage("the registry's URL has credentials in it: put them into .npmrc (//HOST/:_authToken=...)"))
        }
        Some(host) if !host.is_empty() => Ok(url.to_owned()),
        _ => Err(usage(format!("the registry {url:?} is no http or https URL"))),
    }
}

/// npm knows its own default. None is built in here.
fn ask_npm() -> anyhow::Result<String> {
    let asked =
        Command::new("npm").args(["config", "get", "registry"]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = asked.ok().filter(|output| output.status.success());
    let said = said.and_then(|output| String::from_utf8(output.stdout).ok()).map(|text| text.trim().to_owned());
    said.filter(|url| url.starts_with("http")).ok_or_else(|| {
        usage(
            "no registry is configured, and npm is not here to name its own: give --registry URL, set \
             NPM_CONFIG_REGISTRY, or write registry=URL into .npmrc",
        )
    })
}

/// npm takes its variables in any case; these two are what people write.
fn variable(name: &str) -> Option<String> {
    let found = std::env::var(name).or_else(|_| std::env::var(name.to_uppercase()));
    found.ok().filter(|value| !value.trim().is_empty())
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The nearest one, from the current directory upwards.
fn project_file() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    current.ancestors().map(|directory| directory.join(FILE)).find(|path| path.is_file())
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// `key = value` lines. What stands in `${}` is taken from the environment; a name that is not there stays as it is.
fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with([';', '#']) {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        settings.insert(expand(key.trim(), &variable), expand(quoted.unwrap_or(value), &variable));
    }
    settings
}

fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        match (variable(name.trim_end_matches('?')), name.ends_with('?')) {
            (Some(value), _) => out.push_str(&value),
            (None, true) => {}
            (None, false) => out.push_str(&format!("${{{name}}}")),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// What a URL is called in messages: without what may be secret in it.
pub(super) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// A package's name as the registry's paths have it.
pub(super) fn path_of(package: &str) -> anyhow::Result<String> {
    let part = |text: &str| {
        let characters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
        characters && !text.is_empty() && !text.starts_with(['.', '_'])
    };
    let valid = match package.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(package),
    };
    let name = valid.then(|| package.replacen('/', "%2f", 1));
    name.with_context(|| format!("{package:?} is no package name: use NAME, @SCOPE/NAME, NAME@VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let settings = parse(text, |name| (name == "TOKEN").then(|| "t0".to_owned()));
        Config { registry: settings.get("registry").cloned(), settings }
    }

    #[test]
    fn a_scope_has_its_own_registry() {
        let config = config("; c\n# c\nregistry = \"http://a.example/\"\n@s:registry=https://b.example/npm/\nbroken\n");
        assert_eq!(config.registry("lodash").unwrap(), "http://a.example");
        assert_eq!(config.registry("@s/x").unwrap(), "https://b.example/npm");
        assert_eq!(config.registry("@t/x").unwrap(), "http://a.example");
        for wrong in ["", "a.example", "ftp://a.example", "http://", "https://u:p@a.example/"] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_go_to_the_place_that_they_are_for() {
        let config = config(
            "//a.example/npm/:_authToken=${TOKEN}\n//a.example/:_auth=b64\n//b.example:80/:username=u\n//b.example:80/:_password=cA==\n//c.example/:_authToken=\n",
        );
        let sent = |url: &str| config.authorization(url);
        assert_eq!(sent("https://a.example/npm/x").as_deref(), Some("Bearer t0"));
        assert_eq!(sent("https://a.example/npm/x/-/x.tgz?y=/z").as_deref(), Some("Bearer t0"));
        assert_eq!(sent("https://a.example/npmx/x").as_deref(), Some("Basic b64"));
        assert_eq!(sent("http://b.example:80/x").as_deref(), Some("Basic dTpw"));
        for other in
            ["http://b.example/x", "https://a.example.evil/npm/x", "https://c.example/x", "https://evil/a.example/"]
        {
            assert_eq!(sent(other), None, "{other}");
        }
    }

    #[test]
    fn variables_are_put_in() {
        let variable = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(expand("x${A}y${B}z${B?}${", variable), "x1y${B}z${");
    }

    #[test]
    fn a_package_name_is_one_path_segment() {
        assert_eq!(path_of("lodash").unwrap(), "lodash");
        assert_eq!(path_of("@s/left-pad").unwrap(), "@s%2fleft-pad");
        for wrong in ["", "a/b", "..", ".a", "@s", "@s/", "@/a", "@s/a/b", "a b", "a?b", "a%2fb", "@s/../a"] {
            assert!(path_of(wrong).is_err(), "{wrong}");
        }
    }
}
