//! Templates: rows and settings. Their lists are in `template_lists`.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Capability, Grant, LibraryName, Settings, StartupFile, Template, TemplateId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::rows::{Cursor, Page, Wanted};
use crate::{Error, Store, rows, template_lists};

/// A template that is to be made, with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct NewTemplate {
    /// Its id.
    pub id: TemplateId,
    /// Unique among the tenant's.
    pub name: String,
    /// The engine, as the client spelt it.
    pub engine: String,
    /// Whether sessions can be made from it.
    pub is_active: bool,
    /// Its modules, in order.
    pub modules: Vec<Grant>,
    /// Its libraries, in order.
    pub libraries: Vec<LibraryName>,
    /// Its startup files.
    pub startup_files: Vec<StartupFile>,
    /// Its capabilities.
    pub capabilities: Vec<Capability>,
    /// Its settings.
    pub settings: Settings,
    /// When.
    pub created_at: Timestamp,
}

/// A template with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct WholeTemplate {
    /// The template.
    pub template: Template,
    /// Its settings.
    pub settings: Settings,
    /// Its modules with their grants, in order.
    pub grants: Vec<Grant>,
    /// Its startup files, in the order in which they run.
    pub startup_files: Vec<StartupFile>,
    /// Its capabilities, in the order in which they were added.
    pub capabilities: Vec<Capability>,
}

/// What of a template is to change.
#[derive(Clone, Debug, Default)]
pub struct TemplateChange {
    /// A new name.
    pub name: Option<String>,
    /// Whether sessions can be made from it.
    pub is_active: Option<bool>,
}

/// A template's row with its lists, newest first where there are several.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT key, id, name, engine, is_active, created_at, updated_at, settings,
             (SELECT json_group_array(m.name ORDER BY m.key) FROM template_modules m WHERE m.template = t.key),
             (SELECT json_group_array(l.name ORDER BY l.key) FROM template_libraries l WHERE l.template = t.key)
             FROM templates t WHERE tenant = ?1 ",
            $rest
        )
    };
}

/// Templates that were asked for since the last change of any of them.
#[derive(Default)]
pub(crate) struct Wholes(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// How often anything changed.
    changes: u64,
    wholes: HashMap<(TenantId, TemplateId), Arc<WholeTemplate>>,
}

/// Templates that are kept; past that all are forgotten.
const WHOLES_MAX: usize = 256;

impl Wholes {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, tenant: TenantId, id: TemplateId) -> Option<Arc<WholeTemplate>> {
        self.kept().wholes.get(&(tenant, id)).cloned()
    }

    fn changes(&self) -> u64 {
        self.kept().changes
    }

    /// Unless something has changed since it was read.
    fn keep(&self, tenant: TenantId, id: TemplateId, whole: &Arc<WholeTemplate>, changes: u64) {
        let mut kept = self.kept();
        if kept.changes == changes {
            if kept.wholes.len() >= WHOLES_MAX {
                kept.wholes.clear();
            }
            kept.wholes.insert((tenant, id), Arc::clone(whole));
        }
    }

    fn forget(&self) {
        let mut kept = self.kept();
        kept.changes += 1;
        kept.wholes.clear();
    }
}

impl Store {
    /// Makes a template, or says that its name is taken. All of it or nothing.
    pub async fn create_template(&self, tenant: TenantId, new: NewTemplate) -> Result<Template, Error> {
        self.change_templates(move |c| create(c, tenant, &new)).await
    }

    /// A page of the tenant's templates, newest first.
    pub async fn templates(&self, tenant: TenantId, wanted: Wanted) -> Result<Page<Template>, Error> {
        let query = move |c: &Connection| {
            let mut statement = c.prepare_cached(select!("AND key < ?2 ORDER BY key DESC LIMIT ?3"))?;
            let Cursor(before) = wanted.before;
            let mut found =
                statement.query(params![tenant.as_uuid().as_bytes(), before, i64::from(wanted.rows_max) + 1])?;
            let size = |t: &Template| 512 + t.name.len() + 64 * (t.exposed_modules.len() + t.libraries.len());
            rows::page(&mut found, wanted, |row| read(row).map(|(_, template, _)| template), size)
        };
        self.0.readers.read(query).await
    }

    /// A template and its settings.
    pub async fn template(&self, tenant: TenantId, id: TemplateId) -> Result<Option<(Template, Settings)>, Error> {
        let query = move |c: &Connection| Ok(find(c, tenant, id)?.map(|(_, template, settings)| (template, settings)));
        self.0.readers.read(query).await
    }

    /// A template with everything that belongs to it, in one state. One that did not change since it was last asked for is
    /// answered from memory: every session begins with this.
    pub async fn whole_template(&self, tenant: TenantId, id: TemplateId) -> Result<Option<Arc<WholeTemplate>>, Error> {
        if let Some(whole) = self.0.wholes.get(tenant, id) {
            return Ok(Some(whole));
        }
        let changes = self.0.wholes.changes();
        let query = move |c: &Connection| {
            let Some((key, template, settings)) = find(c, tenant, id)? else { return Ok(None) };
            Ok(Some(Arc::new(WholeTemplate {
                grants: template_lists::grants(c, key)?,
                startup_files: template_lists::startup_files(c, id, key)?,
                capabilities: template_lists::capabilities(c, id, key)?,
                template,
                settings,
            })))
        };
        let whole = self.0.readers.read(query).await?;
        if let Some(whole) = &whole {
            self.0.wholes.keep(tenant, id, whole, changes);
        }
        Ok(whole)
    }

    /// Runs a change of templates. Once it is acknowledged, nobody is answered from what was before it.
    pub(crate) async fn change_templates<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let wholes = Arc::clone(&self.0.wholes);
        self.0.writer.write_and(change, move || wholes.forget()).await
    }

    /// Renames, activates or deactivates a template. None when there is no such template.
    pub async fn change_template(
        &self,
        tenant: TenantId,
        id: TemplateId,
        change: TemplateChange,
        at: Timestamp,
    ) -> Result<Option<Template>, Error> {
        let change = move |c: &Connection| {
            let Some(key) = key(c, tenant, id)? else { return Ok(None) };
            let changed = c
                .prepare_cached(
                    "UPDATE templates SET name = coalesce(?2, name), is_active = coalesce(?3, is_active) WHERE key = ?1",
                )?
                .execute(params![key, change.name, change.is_active]);
            rows::unless_taken(changed)?;
            touch(c, key, at)?;
            Ok(find(c, tenant, id)?.map(|(_, template, _)| template))
        };
        self.change_templates(change).await
    }

    /// Changes a template's settings by `change`, which sees the current ones; what it refuses changes nothing. None
    /// when there is no such template.
    pub async fn change_settings<R: Send + 'static>(
        &self,
        tenant: TenantId,
        id: TemplateId,
        at: Timestamp,
        change: impl FnOnce(Settings) -> Result<Settings, R> + Send + 'static,
    ) -> Result<Option<Result<Settings, R>>, Error> {
        let change = move |c: &Connection| {
            let Some((key, _, settings)) = find(c, tenant, id)? else { return Ok(None) };
            let settings = match change(settings) {
                Ok(settings) => settings,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            c.prepare_cached("UPDATE templates SET settings = ?2 WHERE key = ?1")?
                .execute(params![key, rows::to_json(&settings)?])?;
            touch(c, key, at)?;
            Ok(Some(Ok(settings)))
        };
        self.change_templates(change).await
    }

    /// Removes a template and its lists; sessions made from it live on. Whether it was there.
    pub async fn delete_template(&self, tenant: TenantId, id: TemplateId) -> Result<bool, Error> {
        let change = move |c: &Connection| {
            let deleted = c
                .prepare_cached("DELETE FROM templates WHERE tenant = ?1 AND id = ?2")?
                .execute(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
            Ok(deleted > 0)
        };
        self.change_templates(change).await
    }
}

fn create(c: &Connection, tenant: TenantId, new: &NewTemplate) -> Result<Template, Error> {
    let inserted = c
        .prepare_cached(
            "INSERT INTO templates (tenant, id, name, engine, is_active, settings, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        )?
        .insert(params![
            tenant.as_uuid().as_bytes(),
            new.id.as_uuid().as_bytes(),
            new.name,
            new.engine,
            new.is_active,
            rows::to_json(&new.settings)?,
            new.created_at.as_micros()
        ]);
    let key = rows::unless_taken(inserted)?;
    for grant in &new.modules {
        template_lists::insert_module(c, tenant, key, grant)?;
    }
    for name in &new.libraries {
        template_lists::insert_library(c, tenant, key, name)?;
    }
    for file in &new.startup_files {
        template_lists::insert_startup_file(c, tenant, key, file)?;
    }
    for capability in &new.capabilities {
        template_lists::insert_capability(c, tenant, key, capability)?;
    }
    find(c, tenant, new.id)?.map(|(_, template, _)| template).ok_or(Error::Gone)
}

/// A template with its key.
type Found = (i64, Template, Settings);

fn find(c: &Connection, tenant: TenantId, id: TemplateId) -> Result<Option<Found>, Error> {
    let mut statement = c.prepare_cached(select!("AND id = ?2"))?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Found, Error> {
    let corrupt = |e: serde_json::Error| Error::Corrupt(format!("template: {e}"));
    let list = |column| row.get::<_, String>(column);
    let (modules, libraries) = (list(8)?, list(9)?);
    let template = Template {
        id: rows::id(row, 1)?.into(),
        name: row.get(2)?,
        engine: row.get(3)?,
        is_active: row.get(4)?,
        exposed_modules: serde_json::from_str(&modules).map_err(corrupt)?,
        libraries: serde_json::from_str(&libraries).map_err(corrupt)?,
        created_at: rows::time(row, 5)?,
        updated_at: rows::time(row, 6)?,
    };
    Ok((row.get(0)?, template, serde_json::from_str(&row.get::<_, String>(7)?).map_err(corrupt)?))
}

/// The row number of a template.
pub(crate) fn key(c: &Connection, tenant: TenantId, id: TemplateId) -> Result<Option<i64>, Error> {
    let mut statement = c.prepare_cached("SELECT key FROM templates WHERE tenant = ?1 AND id = ?2")?;
    let found = statement.query_row(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()], |row| row.get(0));
    Ok(found.optional()?)
}

/// Notes that a template has changed.
pub(crate) fn touch(c: &Connection, key: i64, at: Timestamp) -> Result<(), Error> {
    c.prepare_cached("UPDATE templates SET updated_at = max(updated_at, ?2) WHERE key = ?1")?
        .execute(params![key, at.as_micros()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::ModuleName;
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;
    use crate::Options;

    const TENANT: TenantId = TenantId::DEFAULT;
    const ALL: Wanted = Wanted { before: Cursor::START, rows_max: 100 };

    fn grant(name: &str) -> Grant {
        Grant { name: ModuleName::parse(name).unwrap(), config: RawValue::from_string("{}".into()).unwrap() }
    }

    fn new(name: &str) -> NewTemplate {
        NewTemplate {
            id: Uuid::now_v7().into(),
            name: name.into(),
            engine: "quickjs".into(),
            is_active: true,
            modules: vec![grant("fs")],
            libraries: Vec::new(),
            startup_files: Vec::new(),
            capabilities: Vec::new(),
            settings: Settings::default(),
            created_at: Timestamp::from_micros(1_000_000),
        }
    }

    #[tokio::test]
    async fn templates_and_their_modules() {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::from_micros(2_000_000);
        let store = Store::open(&Options::new(dir.path().join("test.db")), at).unwrap();
        let (a, b) = (new("a"), new("b"));
        let made = store.create_template(TENANT, a.clone()).await.unwrap();
        assert_eq!((made.id, made.name.as_str(), made.is_active), (a.id, "a", true));
        store.create_template(TENANT, b.clone()).await.unwrap();
        let taken = store.create_template(TENANT, new("a")).await;
        assert!(matches!(taken, Err(Error::AlreadyExists)), "{taken:?}");
        let names: Vec<_> = store.templates(TENANT, ALL).await.unwrap().rows.into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["b", "a"]);

        for name in ["zz", "fs", "aa"] {
            assert!(store.add_module(TENANT, a.id, grant(name), at).await.unwrap());
        }
        assert!(store.remove_module(TENANT, a.id, "fs".into(), at).await.unwrap());
        assert!(store.remove_module(TENANT, a.id, "FS".into(), at).await.unwrap());
        let (template, settings) = store.template(TENANT, a.id).await.unwrap().unwrap();
        let modules: Vec<_> = template.exposed_modules.iter().map(ModuleName::as_str).collect();
        assert_eq!(modules, ["zz", "aa"]);
        assert_eq!((template.updated_at, settings), (at, Settings::default()));

        let stranger: TenantId = Uuid::now_v7().into();
        assert!(store.template(stranger, a.id).await.unwrap().is_none());
        assert!(!store.add_module(stranger, a.id, grant("x"), at).await.unwrap());
        assert!(store.templates(stranger, ALL).await.unwrap().rows.is_empty());
    }
}
