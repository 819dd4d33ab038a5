//! `markdown`: to HTML that is safe to show, unless the script says that it trusts the text.
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};
use wasmtime::component::{WasmStr, flags};

use super::{Answer, Facade, Failure, Interface, Linking, Module, NO_GRANT_SCHEMA, NoGrant, Traffic, grant_of};
use crate::limits::host_text_bytes;

/// Longest text: it can't be stopped on its way.
const TEXT_BYTES_MAX: usize = 4 << 20;
/// Where links may go in text that is not trusted; besides these, relative ones.
const SCHEMES: [&str; 6] = ["http", "https", "mailto", "tel", "ftp", "xmpp"];

pub(super) static MODULE: Module = Module {
    name: "markdown",
    version: "0.1.0",
    docs: "Markdown (CommonMark with GitHub's tables, strikethrough and task lists) to HTML. Raw HTML is escaped unless asked for.",
    interface: Some(Interface {
        name: "vm:markdown/markdown@0.1.0",
        wit: include_str!("../../../../wit/markdown/markdown.wit"),
        link,
    }),
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("markdown.js")),
        types: Some(include_str!("markdown.d.ts")),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[("text_bytes_max", TEXT_BYTES_MAX as u64, "a longer text is refused with ERR_BUFFER_TOO_LARGE")],
    ..Module::BASE
};

flags! {
    Extensions {
        #[component(name = "tables")]
        const TABLES;
        #[component(name = "strikethrough")]
        const STRIKETHROUGH;
        #[component(name = "tasklists")]
        const TASKLISTS;
        #[component(name = "footnotes")]
        const FOOTNOTES;
        #[component(name = "smart")]
        const SMART;
        #[component(name = "heading-ids")]
        const HEADING_IDS;
        #[component(name = "raw-html")]
        const RAW_HTML;
        #[component(name = "breaks")]
        const BREAKS;
    }
}

impl Traffic for Extensions {}

fn link(markdown: &mut Linking<'_>) -> wasmtime::Result<()> {
    markdown.function("to-html", |store, (text, extensions): (WasmStr, Extensions)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        Ok((to_html(&text.to_str(&*store)?, extensions, max),))
    })
}

/// HTML that grows no further than this.
struct Bounded {
    text: String,
    max: usize,
}

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if text.len() > self.max - self.text.len() {
            return Err(std::fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

fn to_html(text: &str, extensions: Extensions, max: usize) -> Answer<String> {
    let too_large = |max: usize| Failure::new("ERR_BUFFER_TOO_LARGE", format!("more than {max} bytes of text"));
    if text.len() > TEXT_BYTES_MAX {
        return Err(too_large(TEXT_BYTES_MAX));
    }
    let known = [
        (Extensions::TABLES, Options::ENABLE_TABLES),
        (Extensions::STRIKETHROUGH, Options::ENABLE_STRIKETHROUGH),
        (Extensions::TASKLISTS, Options::ENABLE_TASKLISTS),
        (Extensions::FOOTNOTES, Options::ENABLE_FOOTNOTES),
        (Extensions::SMART, Options::ENABLE_SMART_PUNCTUATION),
        (Extensions::HEADING_IDS, Options::ENABLE_HEADING_ATTRIBUTES),
    ];
    let has = |wanted: Extensions| extensions & wanted == wanted;
    let mut options = Options::empty();
    for (wanted, option) in known {
        options.set(option, has(wanted));
    }
    let (raw, breaks) = (has(Extensions::RAW_HTML), has(Extensions::BREAKS));
    let events = Parser::new_ext(text, options).map(|event| match event {
        Event::SoftBreak if breaks => Event::HardBreak,
        event if raw => event,
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: safe(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: safe(dest_url), title, id })
        }
        // Ids and classes do nothing by themselves; other attributes may.
        Event::Start(Tag::Heading { level, id, classes, .. }) => {
            Event::Start(Tag::Heading { level, id, classes, attrs: Vec::new() })
        }
        event => event,
    });
    let mut out = Bounded { text: String::new(), max };
    html::write_html_fmt(&mut out, events).map_err(|_| too_large(max))?;
    Ok(out.text)
}

/// The address, or none if it is more than one: `javascript:` is a program. Browsers look past white space and controls.
fn safe(address: CowStr<'_>) -> CowStr<'_> {
    let end = address.find([':', '/', '?', '#']).unwrap_or(address.len());
    if !address[end..].starts_with(':') {
        return address;
    }
    let scheme: String = address[..end].chars().filter(|character| *character > ' ').collect();
    if SCHEMES.contains(&&*scheme.to_ascii_lowercase()) { address } else { "".into() }
}
