//! What `wit_component::Linker` linked, with what each instance would do over again done once.
//!
//! The linker's libraries share a table that belongs to none of them, and since functions are lowered after the libraries that
//! call them, imports go through another one. An instance of that begins with a reference to every function whose address
//! is taken, and three to each import: most of what the start of a session took. Here the libraries become two modules:
//!
//! - the **engine**: what is the same in every image, which is the guest, its access to state and the ends of preview 1. The
//!   table is its own, so that the runtime fills a slot when it is first used. Where the linker placed things is
//!   written into the code.
//! - the **bindings** of the imports, with a table of their own. The guest calls them by addresses in the engine's table. These
//!   are functions that pass the call on, [`SLOTS`] of them whatever is imported: for another list of modules
//!   nothing of the engine is compiled again.
//!
//! Before both comes the **memory**, so that functions can be lowered at once and are imported without a detour. Two calls go
//! the other way: lowered functions ask the guest for memory, and the engine calls the bindings. They have a table of two slots.
//!
//! The guest's code sees no difference, and neither does the host: imports, exports and types are copied as they are.
mod linked;
mod part;

use std::collections::BTreeSet;

use linked::{FUNCTIONS, Item, Lifted, Linked, Piece};
use part::Part;
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, CodeSection, Component, ComponentAliasSection,
    ComponentExportKind, ComponentSectionId, ExportKind, ExportSection, Function, FunctionSection, InstanceSection,
    MemorySection, Module, ModuleArg, ModuleSection, RawSection, RefType, TableSection, TableType, TypeSection,
    ValType,
};
use wasmtime::{bail, format_err};

/// Imports that one image can call: addresses that the engine's table has for them. One with more is refused.
const SLOTS: u32 = 512;
/// The table between the modules: the guest's allocator, and what calls an import by its number.
const REALLOC: u32 = 0;
const CALL: u32 = 1;

type Answer<T> = wasmtime::Result<T>;

/// The same component in fewer modules. It has to be one that `link.rs` linked.
pub(super) fn fuse(component: &[u8]) -> Answer<Vec<u8>> {
    let linked = Linked::parse(component)?;
    let engine = Part::new(&linked, None)?;
    let bindings = Part::new(&linked, Some(&engine))?;
    // Who is called from elsewhere is exported under its number.
    let mut called: Vec<Item> = bindings.imported.iter().map(|(item, _)| *item).collect();
    for function in linked.lifted.iter().flat_map(Lifted::functions) {
        called.push(linked.at(FUNCTIONS, function)?);
    }
    let of = |part: &Part<'_, '_>| called.iter().filter_map(|item| part.own(*item)).collect::<BTreeSet<u32>>();
    let globals: Vec<u32> = bindings.imported_globals.iter().filter_map(|own| engine.own_global(*own)).collect();
    let modules = [memory(&linked)?, engine.encode(&of(&engine), &globals)?, bindings.encode(&of(&bindings), &[])?];
    encode(&linked, &modules, &[&engine, &bindings])
}

/// The memory, and between what comes before and after: who asks for memory while a call is lowered is passed on.
fn memory(linked: &Linked<'_>) -> Answer<Module> {
    let (mut types, mut functions, mut tables, mut memories) =
        (TypeSection::new(), FunctionSection::new(), TableSection::new(), MemorySection::new());
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    functions.function(0);
    tables.table(between());
    memories.memory(linked.memory()?);
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("between", ExportKind::Table, 0);
    exports.export("realloc", ExportKind::Func, 0);
    let mut code = CodeSection::new();
    let mut realloc = Function::new([]);
    let mut body = realloc.instructions();
    (0..4).for_each(|parameter| {
        body.local_get(parameter);
    });
    body.i32_const(REALLOC as i32).call_indirect(0, 0).end();
    code.function(&realloc);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&memories).section(&exports).section(&code);
    Ok(module)
}

fn between() -> TableType {
    TableType { element_type: RefType::FUNCREF, table64: false, minimum: 2, maximum: Some(2), shared: false }
}

/// The component around the modules: memory, engine and bindings.
fn encode(linked: &Linked<'_>, modules: &[Module; 3], parts: &[&Part<'_, '_>; 2]) -> Answer<Vec<u8>> {
    let mut component = Component::new();
    let mut lifted = linked.lifted.iter();
    let mut functions = 0;
    for piece in &linked.pieces {
        match piece {
            Piece::Section(id, range) => {
                component.section(&RawSection { id: *id, data: &linked.bytes[range.clone()] });
            }
            Piece::Component(range) => {
                let id = ComponentSectionId::Component.into();
                component.section(&RawSection { id, data: &linked.bytes[range.clone()] });
            }
            Piece::Type(instance, name) => {
                let mut alias = ComponentAliasSection::new();
                alias.alias(Alias::InstanceExport { instance: *instance, kind: ComponentExportKind::Type, name });
                component.section(&alias);
            }
            Piece::Modules => functions = encode_core(&mut component, linked, modules)?,
            Piece::Lifted => {
                let lifted = lifted.next().ok_or_else(|| format_err!("fewer functions are lifted"))?;
                encode_lifted(&mut component, linked, parts, lifted, &mut functions)?;
            }
        }
    }
    Ok(component.finish())
}

/// All of the core: how many functions its index space has then.
fn encode_core(component: &mut Component, linked: &Linked<'_>, modules: &[Module; 3]) -> Answer<u32> {
    for module in modules {
        component.section(&ModuleSection(module));
    }
    let mut instances = InstanceSection::new();
    instances.instantiate(0, std::iter::empty::<(&str, ModuleArg)>());
    component.section(&instances);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport { instance: 0, kind: ExportKind::Memory, name: "memory" });
    aliases.alias(Alias::CoreInstanceExport { instance: 0, kind: ExportKind::Func, name: "realloc" });
    for (instance, name) in &linked.imports {
        aliases.alias(Alias::InstanceExport { instance: *instance, kind: ComponentExportKind::Func, name });
    }
    component.section(&aliases);
    let (mut lowered, mut names) = (CanonicalFunctionSection::new(), Vec::new());
    for (number, (function, options)) in linked.lowered.iter().enumerate() {
        // The first function is the memory's `realloc`.
        let options = options.iter().map(|option| encode_option(*option, &mut |_| Ok(0)));
        lowered.lower(*function, options.collect::<Answer<Vec<_>>>()?);
        names.push(number.to_string());
    }
    component.section(&lowered);
    let mut instances = InstanceSection::new();
    let exports = names.iter().zip(1..).map(|(name, index)| (name.as_str(), ExportKind::Func, index));
    instances.export_items(exports.collect::<Vec<_>>());
    let [memory, lowered, engine] = [("memory", 0), ("lowered", 1), ("engine", 2)];
    let argument = |(name, instance)| (name, ModuleArg::Instance(instance));
    instances.instantiate(1, [memory, lowered].map(argument));
    instances.instantiate(2, [memory, lowered, engine].map(argument));
    component.section(&instances);
    Ok(1 + names.len() as u32)
}

/// An exported function, and names for what it needs of the modules.
fn encode_lifted(
    component: &mut Component,
    linked: &Linked<'_>,
    parts: &[&Part<'_, '_>; 2],
    lifted: &Lifted,
    functions: &mut u32,
) -> Answer<()> {
    let mut aliases = ComponentAliasSection::new();
    let mut alias = |function| -> Answer<u32> {
        let item = linked.at(FUNCTIONS, function)?;
        let found = parts.iter().zip(2..).find_map(|(part, instance)| Some((instance, part.own(item)?)));
        let (instance, number) = found.ok_or_else(|| format_err!("an import is exported"))?;
        aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Func, name: &number.to_string() });
        *functions += 1;
        Ok(*functions - 1)
    };
    let function = alias(lifted.function)?;
    let options = lifted.options.iter().map(|option| encode_option(*option, &mut alias)).collect::<Answer<Vec<_>>>()?;
    component.section(&aliases);
    let mut section = CanonicalFunctionSection::new();
    section.lift(function, lifted.ty, options);
    component.section(&section);
    Ok(())
}

/// The one memory is the first.
fn encode_option(
    option: wasmparser::CanonicalOption,
    function: &mut impl FnMut(u32) -> Answer<u32>,
) -> Answer<CanonicalOption> {
    Ok(match option {
        wasmparser::CanonicalOption::UTF8 => CanonicalOption::UTF8,
        wasmparser::CanonicalOption::Memory(_) => CanonicalOption::Memory(0),
        wasmparser::CanonicalOption::Realloc(index) => CanonicalOption::Realloc(function(index)?),
        wasmparser::CanonicalOption::PostReturn(index) => CanonicalOption::PostReturn(function(index)?),
        other => bail!("functions have the option {other:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::link::{guest, join};
    use crate::modules::{ALL, Interface, Module};

    fn with(modules: &[&'static Module]) -> (Vec<u8>, Answer<Vec<u8>>) {
        let linked = join(&guest().unwrap(), modules).unwrap();
        let fused = fuse(&linked);
        (linked, fused)
    }

    fn listed() -> Vec<&'static Module> {
        ALL.iter().copied().filter(|module| module.interface.is_some()).collect()
    }

    fn of(wit: String) -> &'static Module {
        let interface = Interface { name: "vm:many/many@0.1.0", wit: wit.leak(), link: |_| Ok(()) };
        Box::leak(Box::new(Module { name: "many", interface: Some(interface), ..Module::BASE }))
    }

    /// A module of that many functions.
    fn many(functions: u32) -> &'static Module {
        let functions: String = (0..functions).map(|number| format!("call{number}: func(); ")).collect();
        of(format!("package vm:many@0.1.0; interface many {{ {functions} }}"))
    }

    /// How many operators a function of the core has.
    fn operators(linked: &Linked<'_>, function: u32) -> usize {
        let Item::Own((instance, function)) = linked.at(FUNCTIONS, function).unwrap() else { panic!("{function}") };
        let module = linked.module(instance).unwrap();
        let body = &module.bodies[function as usize - module.imports[FUNCTIONS].len()];
        body.get_operators_reader().unwrap().into_iter().count()
    }

    #[test]
    fn the_engine_is_the_same_whatever_is_imported() {
        let engine = |modules: &[&'static Module]| {
            let (_, fused) = with(modules);
            let fused = fused.unwrap();
            let parsed = Linked::parse(&fused).unwrap();
            assert_eq!(parsed.modules.len(), 3);
            let engine = &parsed.modules[1];
            let code: Vec<Vec<u8>> = engine.bodies.iter().map(|body| body.as_bytes().to_vec()).collect();
            (code, engine.functions.clone(), engine.imports[0].len())
        };
        let (bare, full) = (engine(&[]), engine(&listed()));
        assert!(bare.0.len() > 1_000, "{}", bare.0.len());
        assert!(bare == full);
    }

    #[test]
    fn nothing_changes_outside() {
        let (linked, fused) = with(&listed());
        let fused = fused.unwrap();
        let outside = |bytes: &[u8]| {
            let parsed = Linked::parse(bytes).unwrap();
            let kept = parsed.pieces.iter().filter_map(|piece| match piece {
                Piece::Section(id, range) => Some((*id, bytes[range.clone()].to_vec())),
                Piece::Component(range) => Some((0, bytes[range.clone()].to_vec())),
                Piece::Type(..) | Piece::Modules | Piece::Lifted => None,
            });
            let imports = parsed.imports.iter().map(|(of, name)| (*of, (*name).to_owned()));
            let lifted = parsed.lifted.iter().map(|lifted| {
                let kinds = lifted.options.iter().map(std::mem::discriminant).collect::<Vec<_>>();
                // Their numbers differ; what they are made of does not.
                let bodies = lifted.functions().map(|function| operators(&parsed, function));
                (lifted.ty, kinds, bodies.collect::<Vec<_>>())
            });
            (kept.collect::<Vec<_>>(), imports.collect::<Vec<_>>(), lifted.collect::<Vec<_>>())
        };
        assert!(outside(&linked) == outside(&fused));
    }

    #[test]
    fn so_many_imports_and_no_more() {
        let (_, most) = with(&[many(SLOTS)]);
        wasmparser::validate(&most.unwrap()).unwrap();
        let error = with(&[many(SLOTS + 1)]).1.unwrap_err().to_string();
        assert_eq!(error, "513 functions are imported; one image can have 512");
    }

    #[test]
    fn interfaces_may_have_types_of_others() {
        let wit = "package vm:many@0.1.0; interface kinds { record pair { a: u32, b: string } }
            interface many { use kinds.{pair}; swap: func(pair: pair) -> pair; }";
        let (_, fused) = with(&[of(wit.to_owned())]);
        wasmparser::validate(&fused.unwrap()).unwrap();
    }

    #[test]
    fn what_the_linker_did_not_link_is_refused() {
        fuse(b"").unwrap_err();
        fuse(b"\0asm\x0d\0\x01\0").unwrap_err();
        let fused = with(&[]).1.unwrap();
        wasmparser::validate(&fused).unwrap();
        fuse(&fused).unwrap_err();
        fuse(&fused[..fused.len() / 2]).unwrap_err();
    }
}
