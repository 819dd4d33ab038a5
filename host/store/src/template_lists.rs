//! What belongs to a template: modules with their grants, libraries, startup files, capabilities.
use model::{
    Capability, CapabilityId, CapabilityKind, Grant, LibraryName, StartupFile, StartupFileId, StartupMode, TemplateId,
    TenantId, Timestamp,
};
use rusqlite::{Connection, params};

use crate::templates::{key, touch};
use crate::{Error, Store, rows};

/// Entries that one list of a template can have: lists travel whole, with every template.
pub const TEMPLATE_LIST_MAX: u32 = 256;

impl Store {
    /// Adds a module at the end of the list, or gives the one that is there a new grant if `grant` has one. False when
    /// there is no such template.
    pub async fn add_module(
        &self,
        tenant: TenantId,
        id: TemplateId,
        grant: Grant,
        at: Timestamp,
    ) -> Result<bool, Error> {
        self.change_list(tenant, id, at, move |c, key| insert_module(c, tenant, key, &grant)).await.map(is_there)
    }

    /// Gives a listed module another grant. None when there is no such template; false when it is not listed.
    pub async fn set_grant(
        &self,
        tenant: TenantId,
        id: TemplateId,
        grant: Grant,
        at: Timestamp,
    ) -> Result<Option<bool>, Error> {
        let change = move |c: &Connection, key| {
            let changed = c
                .prepare_cached("UPDATE template_modules SET config = ?3 WHERE template = ?1 AND name = ?2")?
                .execute(params![key, grant.name.as_str(), grant.config.get()])?;
            Ok(changed > 0)
        };
        self.change_list(tenant, id, at, change).await
    }

    /// Takes the module of exactly that name off the list, if it is there. False when there is no such template.
    pub async fn remove_module(
        &self,
        tenant: TenantId,
        id: TemplateId,
        name: String,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let change = move |c: &Connection, key| {
            let mut statement = c.prepare_cached("DELETE FROM template_modules WHERE template = ?1 AND name = ?2")?;
            Ok(statement.execute(params![key, name])? > 0)
        };
        self.change_list(tenant, id, at, change).await.map(is_there)
    }

    /// Adds a library at the end of the list, unless it is there. False when there is no such template.
    pub async fn add_library(
        &self,
        tenant: TenantId,
        id: TemplateId,
        name: LibraryName,
        at: Timestamp,
    ) -> Result<bool, Error> {
        self.change_list(tenant, id, at, move |c, key| insert_library(c, tenant, key, &name)).await.map(is_there)
    }

    /// Takes the library of exactly that name off the list, if it is there. False when there is no such template.
    pub async fn remove_library(
        &self,
        tenant: TenantId,
        id: TemplateId,
        name: String,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let change = move |c: &Connection, key| {
            let mut statement = c.prepare_cached("DELETE FROM template_libraries WHERE template = ?1 AND name = ?2")?;
            Ok(statement.execute(params![key, name])? > 0)
        };
        self.change_list(tenant, id, at, change).await.map(is_there)
    }

    /// Adds a startup file, or says that its path is taken. False when there is no such template.
    pub async fn add_startup_file(&self, tenant: TenantId, file: StartupFile, at: Timestamp) -> Result<bool, Error> {
        let template = file.vm_id;
        let change = move |c: &Connection, key| insert_startup_file(c, tenant, key, &file).map(|()| true);
        self.change_list(tenant, template, at, change).await.map(is_there)
    }

    /// Removes a startup file, if it is there. False when there is no such template.
    pub async fn remove_startup_file(
        &self,
        tenant: TenantId,
        template: TemplateId,
        id: StartupFileId,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let change = move |c: &Connection, key| {
            let mut statement =
                c.prepare_cached("DELETE FROM template_startup_files WHERE template = ?1 AND id = ?2")?;
            Ok(statement.execute(params![key, id.as_uuid().as_bytes()])? > 0)
        };
        self.change_list(tenant, template, at, change).await.map(is_there)
    }

    /// Adds a capability, or says that its kind and name are taken. False when there is no such template.
    pub async fn add_capability(&self, tenant: TenantId, new: Capability, at: Timestamp) -> Result<bool, Error> {
        let template = new.vm_id;
        let change = move |c: &Connection, key| insert_capability(c, tenant, key, &new).map(|()| true);
        self.change_list(tenant, template, at, change).await.map(is_there)
    }

    /// Removes a capability, if it is there. False when there is no such template.
    pub async fn remove_capability(
        &self,
        tenant: TenantId,
        template: TemplateId,
        id: CapabilityId,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let change = move |c: &Connection, key| {
            let mut statement =
                c.prepare_cached("DELETE FROM template_capabilities WHERE template = ?1 AND id = ?2")?;
            Ok(statement.execute(params![key, id.as_uuid().as_bytes()])? > 0)
        };
        self.change_list(tenant, template, at, change).await.map(is_there)
    }

    /// Runs `change` on a template; when it changed something, the template was changed. None when there is none.
    async fn change_list(
        &self,
        tenant: TenantId,
        id: TemplateId,
        at: Timestamp,
        change: impl FnOnce(&Connection, i64) -> Result<bool, Error> + Send + 'static,
    ) -> Result<Option<bool>, Error> {
        let change = move |c: &Connection| {
            let Some(key) = key(c, tenant, id)? else { return Ok(None) };
            let changed = change(c, key)?;
            if changed {
                touch(c, key, at)?;
            }
            Ok(Some(changed))
        };
        self.change_templates(change).await
    }
}

fn is_there(changed: Option<bool>) -> bool {
    changed.is_some()
}

/// Refuses the entry that has made a list longer than it may be, and so undoes it. What is there already is no entry more.
macro_rules! room {
    ($c:expr, $table:literal, $key:expr) => {{
        let sql = concat!("SELECT count(*) FROM ", $table, " WHERE template = ?1");
        let count: u32 = $c.prepare_cached(sql)?.query_row([$key], |row| row.get(0))?;
        if count > TEMPLATE_LIST_MAX {
            return Err(Error::Full);
        }
    }};
}

/// Whether anything changed. A grant of `{}` leaves the one that is there.
pub(crate) fn insert_module(c: &Connection, tenant: TenantId, template: i64, grant: &Grant) -> Result<bool, Error> {
    let changed = c
        .prepare_cached(
            "INSERT INTO template_modules (tenant, template, name, config) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (template, name) DO UPDATE SET config = excluded.config
             WHERE excluded.config <> '{}' AND excluded.config <> config",
        )?
        .execute(params![tenant.as_uuid().as_bytes(), template, grant.name.as_str(), grant.config.get()])?;
    room!(c, "template_modules", template);
    Ok(changed > 0)
}

pub(crate) fn insert_library(
    c: &Connection,
    tenant: TenantId,
    template: i64,
    name: &LibraryName,
) -> Result<bool, Error> {
    let changed = c
        .prepare_cached(
            "INSERT INTO template_libraries (tenant, template, name) VALUES (?1, ?2, ?3)
             ON CONFLICT (template, name) DO NOTHING",
        )?
        .execute(params![tenant.as_uuid().as_bytes(), template, name.as_str()])?;
    room!(c, "template_libraries", template);
    Ok(changed > 0)
}

pub(crate) fn insert_startup_file(
    c: &Connection,
    tenant: TenantId,
    template: i64,
    file: &StartupFile,
) -> Result<(), Error> {
    let inserted = c
        .prepare_cached(
            "INSERT INTO template_startup_files (tenant, id, template, path, order_index, mode)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            tenant.as_uuid().as_bytes(),
            file.id.as_uuid().as_bytes(),
            template,
            file.path,
            file.order_index,
            file.mode.as_str()
        ]);
    rows::unless_taken(inserted)?;
    room!(c, "template_startup_files", template);
    Ok(())
}

pub(crate) fn insert_capability(
    c: &Connection,
    tenant: TenantId,
    template: i64,
    new: &Capability,
) -> Result<(), Error> {
    let inserted = c
        .prepare_cached(
            "INSERT INTO template_capabilities (tenant, id, template, kind, name, enabled, config)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            tenant.as_uuid().as_bytes(),
            new.id.as_uuid().as_bytes(),
            template,
            new.kind.as_str(),
            new.name,
            new.enabled,
            new.config.get()
        ]);
    rows::unless_taken(inserted)?;
    room!(c, "template_capabilities", template);
    Ok(())
}

pub(crate) fn grants(c: &Connection, template: i64) -> Result<Vec<Grant>, Error> {
    let mut statement =
        c.prepare_cached("SELECT name, config FROM template_modules WHERE template = ?1 ORDER BY key")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Grant { name: rows::word(row, 0, |text| model::ModuleName::parse(text).ok())?, config: rows::json(row, 1)? })
    };
    statement.query_and_then([template], read)?.collect()
}

pub(crate) fn startup_files(c: &Connection, id: TemplateId, template: i64) -> Result<Vec<StartupFile>, Error> {
    let mut statement = c.prepare_cached(
        "SELECT id, path, order_index, mode FROM template_startup_files WHERE template = ?1 ORDER BY order_index, key",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(StartupFile {
            id: rows::id(row, 0)?.into(),
            vm_id: id,
            path: row.get(1)?,
            order_index: row.get(2)?,
            mode: rows::word(row, 3, StartupMode::parse)?,
        })
    };
    statement.query_and_then([template], read)?.collect()
}

pub(crate) fn capabilities(c: &Connection, id: TemplateId, template: i64) -> Result<Vec<Capability>, Error> {
    let mut statement = c.prepare_cached(
        "SELECT id, kind, name, enabled, config FROM template_capabilities WHERE template = ?1 ORDER BY key",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Capability {
            id: rows::id(row, 0)?.into(),
            vm_id: id,
            kind: rows::word(row, 1, CapabilityKind::parse)?,
            name: row.get(2)?,
            enabled: row.get(3)?,
            config: rows::json(row, 4)?,
        })
    };
    statement.query_and_then([template], read)?.collect()
}

#[cfg(test)]
mod tests {
    use model::ModuleName;
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;
    use crate::{NewTemplate, Options};

    const TENANT: TenantId = TenantId::DEFAULT;

    fn grant(name: &str, config: &str) -> Grant {
        Grant { name: ModuleName::parse(name).unwrap(), config: RawValue::from_string(config.into()).unwrap() }
    }

    #[tokio::test]
    async fn a_full_list_takes_what_it_has_and_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::from_micros(2_000_000);
        let store = Store::open(&Options::new(dir.path().join("test.db")), at).unwrap();
        let id: TemplateId = Uuid::now_v7().into();
        let library = |name: &str| LibraryName::parse(name).unwrap();
        let file = |path: &str| StartupFile {
            id: Uuid::now_v7().into(),
            vm_id: id,
            path: path.into(),
            order_index: 0,
            mode: StartupMode::Eval,
        };
        let names = || (0..TEMPLATE_LIST_MAX).map(|n| format!("m{n}"));
        let new = NewTemplate {
            id,
            name: "t".into(),
            engine: "quickjs".into(),
            is_active: true,
            modules: names().map(|name| grant(&name, "{}")).collect(),
            libraries: names().map(|name| library(&name)).collect(),
            startup_files: names().map(|path| file(&path)).collect(),
            capabilities: Vec::new(),
            settings: model::Settings::default(),
            created_at: at,
        };
        let longer = NewTemplate {
            id: Uuid::now_v7().into(),
            name: "longer".into(),
            modules: (0..=TEMPLATE_LIST_MAX).map(|n| grant(&format!("m{n}"), "{}")).collect(),
            ..new.clone()
        };
        store.create_template(TENANT, new).await.unwrap();
        assert!(matches!(store.create_template(TENANT, longer).await, Err(Error::Full)));

        assert!(store.add_module(TENANT, id, grant("m7", "{}"), at).await.unwrap());
        assert!(store.add_module(TENANT, id, grant("m7", "{\"a\":1}"), at).await.unwrap());
        assert!(matches!(store.add_module(TENANT, id, grant("more", "{}"), at).await, Err(Error::Full)));
        assert!(store.add_library(TENANT, id, library("m7"), at).await.unwrap());
        assert!(matches!(store.add_library(TENANT, id, library("more"), at).await, Err(Error::Full)));
        assert!(matches!(store.add_startup_file(TENANT, file("m7"), at).await, Err(Error::AlreadyExists)));
        assert!(matches!(store.add_startup_file(TENANT, file("more"), at).await, Err(Error::Full)));
        let whole = store.whole_template(TENANT, id).await.unwrap().unwrap();
        assert_eq!(whole.grants[7].config.get(), "{\"a\":1}");
        let lengths = [whole.grants.len(), whole.template.libraries.len(), whole.startup_files.len()];
        assert_eq!(lengths, [TEMPLATE_LIST_MAX as usize; 3], "what was refused was undone");
    }
}
