//! What an operator wants to know of a server: its images, and what of its sessions is on the disk.
use std::collections::{BTreeMap, HashMap, HashSet};

use model::{TenantId, Timestamp};
use sandbox::Recipe;
use schemars::JsonSchema;
use serde::Serialize;
use store::{Cursor, DurableFigures, Wanted};

use crate::fault::Fault;
use crate::nursery::blocking;
use crate::registry::Registry;

/// Templates that are looked at in one read.
const TEMPLATES_AT_ONCE: u32 = 1_000;

/// An image: in the data directory, or needed and not there.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Image")]
pub struct ImageUse {
    /// Its content hash.
    hash: String,
    /// New sessions of an active template would run on it.
    current: bool,
    /// It was built with this server's guest and compiler; missing: that can't be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_engine: Option<bool>,
    /// Bytes of the compiled code on the disk; missing: it is gone, and compiled again when it is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_bytes: Option<u64>,
    /// Bytes of what it was compiled from; missing: it is gone, and without the compiled code so is the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    component_bytes: Option<u64>,
    /// Sessions that are not closed and go on from it, in memory or not.
    sessions: u64,
    /// Sessions of it that are in memory, stored or not.
    live_sessions: u64,
    /// Checkpoints that build on it.
    checkpoints: u64,
    /// What these take, bytes.
    checkpoint_bytes: u64,
    /// When it was built, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    /// When it was last read from the disk or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<Timestamp>,
}

/// How much of the sessions is on the disk.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Durable {
    /// Sessions that are ready, by where their heap is and by their durability.
    sessions: SessionFigures,
    checkpoints: CheckpointFigures,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct SessionFigures {
    /// In memory, stored or not.
    live: u64,
    /// On the disk alone.
    hibernated: u64,
    none: u64,
    checkpoint: u64,
    every: u64,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct CheckpointFigures {
    count: u64,
    /// What they take in the database, compressed.
    bytes: u64,
    /// What of that is in the history of a session; the others are there for what builds on them.
    history_bytes: u64,
}

impl Registry {
    /// The images of the data directory and those that sessions need, by hash. What needs them is that of all tenants.
    /// `tenant`: whose templates are looked at.
    pub async fn images(&self, tenant: TenantId) -> Result<Vec<ImageUse>, Fault> {
        let nursery = &self.shared.nursery;
        let engine = nursery.engine.clone();
        let on_disk = blocking(move || engine.stored_images()).await?;
        let mut images: BTreeMap<String, ImageUse> = BTreeMap::new();
        for found in on_disk {
            let image = ImageUse {
                same_engine: found.of_this_engine,
                artifact_bytes: found.artifact_bytes,
                component_bytes: found.component_bytes,
                created_at: found.created_at.map(Timestamp::from),
                used_at: found.used_at.map(Timestamp::from),
                ..ImageUse::default()
            };
            images.insert(found.hash, image);
        }
        for need in nursery.store.images_needed().await? {
            let image = images.entry(need.image).or_default();
            (image.sessions, image.checkpoints, image.checkpoint_bytes) = (need.sessions, need.checkpoints, need.bytes);
        }
        let mut live: HashMap<String, u64> = HashMap::new();
        for (_, session) in nursery.live.map().values() {
            *live.entry(session.image().hash().to_owned()).or_default() += 1;
        }
        for (hash, count) in live {
            images.entry(hash).or_default().live_sessions = count;
        }
        for hash in self.current_images(tenant).await? {
            if let Some(image) = images.get_mut(&hash) {
                image.current = true;
            }
        }
        Ok(images.into_iter().map(|(hash, image)| ImageUse { hash, ..image }).collect())
    }

    /// The images that the tenant's active templates make now, and that of no module and no library.
    async fn current_images(&self, tenant: TenantId) -> Result<HashSet<String>, Fault> {
        let nursery = &self.shared.nursery;
        let mut lists = HashSet::from([(Vec::new(), Vec::new())]);
        let mut wanted = Wanted { before: Cursor::START, rows_max: TEMPLATES_AT_ONCE };
        loop {
            let page = nursery.store.templates(tenant, wanted).await?;
            let active = page.rows.into_iter().filter(|template| template.is_active);
            lists.extend(active.map(|template| (template.exposed_modules, template.libraries)));
            match page.next {
                Some(before) => wanted.before = before,
                None => break,
            }
        }
        let nursery = std::sync::Arc::clone(nursery);
        // A library that is not there makes no image.
        let hash = move |(modules, libraries): (Vec<_>, Vec<_>)| {
            let libraries = nursery.libraries(&libraries).ok()?;
            nursery.engine.image_hash(&Recipe { modules, libraries }).ok()
        };
        blocking(move || lists.into_iter().filter_map(hash).collect()).await
    }

    /// How much there is of what outlives the server, over all tenants.
    pub async fn durable_figures(&self) -> Result<Durable, Fault> {
        let nursery = &self.shared.nursery;
        let found = nursery.store.durable_figures().await?;
        let DurableFigures { sessions_none: none, sessions_checkpoint: checkpoint, sessions_every: every, .. } = found;
        let (live, durable) = {
            let map = nursery.live.map();
            (map.len() as u64, map.values().filter(|(_, session)| session.is_durable()).count() as u64)
        };
        let hibernated = (checkpoint + every).saturating_sub(durable);
        let sessions = SessionFigures { live, hibernated, none, checkpoint, every };
        let DurableFigures { checkpoints: count, bytes, history_bytes, .. } = found;
        Ok(Durable { sessions, checkpoints: CheckpointFigures { count, bytes, history_bytes } })
    }
}
