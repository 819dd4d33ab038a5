//! Templates and their lists.
use model::{ModuleName, Settings, Template, TemplateId, TenantId, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::{Error, Store, rows};

/// A template that is to be made.
#[derive(Clone, Debug)]
pub struct NewTemplate {
    /// Its id.
    pub id: TemplateId,
    /// Unique among the tenant's.
    pub name: String,
    /// The engine, as the client spelt it.
    pub engine: String,
    /// Its modules, in order.
    pub modules: Vec<ModuleName>,
    /// Its settings.
    pub settings: Settings,
    /// When.
    pub created_at: Timestamp,
}

/// A template's row with its lists, newest first where there are several.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, engine, is_active, created_at, updated_at, settings,
             (SELECT json_group_array(m.name ORDER BY m.key) FROM template_modules m WHERE m.template = t.key)
             FROM templates t WHERE tenant = ?1 ",
            $rest
        )
    };
}

impl Store {
    /// Makes a template, or says that its name is taken.
    pub async fn create_template(&self, tenant: TenantId, new: NewTemplate) -> Result<Template, Error> {
        self.0.writer.write(move |c| create(c, tenant, &new)).await
    }

    /// Every template, newest first.
    pub async fn templates(&self, tenant: TenantId) -> Result<Vec<Template>, Error> {
        let query = move |c: &Connection| {
            let mut statement = c.prepare_cached(select!("ORDER BY key DESC"))?;
            let rows = statement.query_and_then(params![tenant.as_uuid().as_bytes()], read)?;
            rows.map(|row| row.map(|(template, _)| template)).collect()
        };
        self.0.readers.read(query).await
    }

    /// A template and its settings.
    pub async fn template(&self, tenant: TenantId, id: TemplateId) -> Result<Option<(Template, Settings)>, Error> {
        self.0.readers.read(move |c| find(c, tenant, id)).await
    }

    /// Adds a module at the end of the list, unless it is there. False when there is no such template.
    pub async fn add_template_module(
        &self,
        tenant: TenantId,
        id: TemplateId,
        name: ModuleName,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let change = move |c: &Connection| {
            let Some(key) = key(c, tenant, id)? else { return Ok(false) };
            if add_module(c, tenant, key, &name)? {
                touch(c, key, at)?;
            }
            Ok(true)
        };
        self.0.writer.write(change).await
    }

    /// Takes the module of exactly that name off the list, if it is there. False when there is no such template.
    pub async fn remove_template_module(
        &self,
        tenant: TenantId,
        id: TemplateId,
        name: String,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let change = move |c: &Connection| {
            let Some(key) = key(c, tenant, id)? else { return Ok(false) };
            let removed = c
                .prepare_cached("DELETE FROM template_modules WHERE tenant = ?1 AND template = ?2 AND name = ?3")?
                .execute(params![tenant.as_uuid().as_bytes(), key, name])?;
            if removed > 0 {
                touch(c, key, at)?;
            }
            Ok(true)
        };
        self.0.writer.write(change).await
    }
}

fn create(c: &Connection, tenant: TenantId, new: &NewTemplate) -> Result<Template, Error> {
    let inserted = c
        .prepare_cached(
            "INSERT INTO templates (tenant, id, name, engine, is_active, settings, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?6)",
        )?
        .insert(params![
            tenant.as_uuid().as_bytes(),
            new.id.as_uuid().as_bytes(),
            new.name,
            new.engine,
            rows::to_json(&new.settings)?,
            new.created_at.as_micros()
        ]);
    let key = match inserted {
        Err(error) if Error::is_duplicate(&error) => return Err(Error::AlreadyExists),
        inserted => inserted?,
    };
    for name in &new.modules {
        add_module(c, tenant, key, name)?;
    }
    find(c, tenant, new.id)?.map(|(template, _)| template).ok_or(Error::Gone)
}

fn find(c: &Connection, tenant: TenantId, id: TemplateId) -> Result<Option<(Template, Settings)>, Error> {
    let mut statement = c.prepare_cached(select!("AND id = ?2"))?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<(Template, Settings), Error> {
    let corrupt = |e: serde_json::Error| Error::Corrupt(format!("template: {e}"));
    let settings: String = row.get(6)?;
    let modules: String = row.get(7)?;
    let template = Template {
        id: rows::id(row, 0)?.into(),
        name: row.get(1)?,
        engine: row.get(2)?,
        is_active: row.get(3)?,
        exposed_modules: serde_json::from_str(&modules).map_err(corrupt)?,
        libraries: Vec::new(),
        created_at: rows::time(row, 4)?,
        updated_at: rows::time(row, 5)?,
    };
    Ok((template, serde_json::from_str(&settings).map_err(corrupt)?))
}

fn key(c: &Connection, tenant: TenantId, id: TemplateId) -> Result<Option<i64>, Error> {
    let mut statement = c.prepare_cached("SELECT key FROM templates WHERE tenant = ?1 AND id = ?2")?;
    let found = statement.query_row(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()], |row| row.get(0));
    rows::exists(found)
}

fn add_module(c: &Connection, tenant: TenantId, template: i64, name: &ModuleName) -> Result<bool, Error> {
    let added = c
        .prepare_cached(
            "INSERT INTO template_modules (tenant, template, name) VALUES (?1, ?2, ?3)
             ON CONFLICT (template, name) DO NOTHING",
        )?
        .execute(params![tenant.as_uuid().as_bytes(), template, name.as_str()])?;
    Ok(added > 0)
}

fn touch(c: &Connection, key: i64, at: Timestamp) -> Result<(), Error> {
    c.prepare_cached("UPDATE templates SET updated_at = max(updated_at, ?2) WHERE key = ?1")?
        .execute(params![key, at.as_micros()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::Options;

    const TENANT: TenantId = TenantId::DEFAULT;

    fn new(name: &str) -> NewTemplate {
        NewTemplate {
            id: Uuid::now_v7().into(),
            name: name.into(),
            engine: "quickjs".into(),
            modules: vec![ModuleName::parse("fs").unwrap()],
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
        let names: Vec<_> = store.templates(TENANT).await.unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["b", "a"]);

        for name in ["zz", "fs", "aa"] {
            assert!(store.add_template_module(TENANT, a.id, ModuleName::parse(name).unwrap(), at).await.unwrap());
        }
        assert!(store.remove_template_module(TENANT, a.id, "fs".into(), at).await.unwrap());
        assert!(store.remove_template_module(TENANT, a.id, "FS".into(), at).await.unwrap());
        let (template, settings) = store.template(TENANT, a.id).await.unwrap().unwrap();
        let modules: Vec<_> = template.exposed_modules.iter().map(ModuleName::as_str).collect();
        assert_eq!(modules, ["zz", "aa"]);
        assert_eq!((template.updated_at, settings), (at, Settings::default()));

        let stranger: TenantId = Uuid::now_v7().into();
        assert!(store.template(stranger, a.id).await.unwrap().is_none());
        assert!(!store.add_template_module(stranger, a.id, ModuleName::parse("x").unwrap(), at).await.unwrap());
        assert!(store.templates(stranger).await.unwrap().is_empty());
    }
}
