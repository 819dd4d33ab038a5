//! `template`: Mustache. In JavaScript, within the sandbox: a template and its data never leave it, and the heap's own
//! limits hold. The crates for it are unkept or of a licence that is not ours to take; the language is small.
use super::{Facade, Module, NO_GRANT_SCHEMA, NoGrant, grant_of};

pub(super) static MODULE: Module = Module {
    name: "template",
    version: "0.1.0",
    docs: "Text from Mustache templates: variables, sections, partials. No code in templates, and none of the data is called.",
    interface: None,
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("template.js")),
        types: Some(include_str!("template.d.ts")),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[
        ("depth_max", 100, "sections and partials deeper within each other are refused with ERR_TEMPLATE_DEPTH"),
        ("output_chars_max", 16 << 20, "a longer result is refused with ERR_TEMPLATE_TOO_LARGE"),
    ],
    ..Module::BASE
};
