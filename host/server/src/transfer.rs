//! Sessions that go to other servers, and come from them.
//!
//! A file's signature says that another server of this operator wrote it, and nothing about what sessions may do here: that
//! is what the template allows under which it is imported.
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use model::{CheckpointId, CheckpointKind, ErrorCode, Grant, Limits, Session as Row, SessionId, TenantId};
use sandbox::{ForeignError, Image, RestoreError};
use serde_json::Value;
use store::{NewSession, WholeTemplate};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::clock;
use crate::fault::Fault;
use crate::keep;
use crate::nursery::{Nursery, blocking};
use crate::recipes::Made;
use crate::registry::{Registry, Shared};
use crate::snapfile::{self, About, SessionFile, ShareKey};

/// Files that leave at once, and that arrive: each takes as much memory as its session, more than once, until it is there.
pub(crate) const FILES_AT_ONCE: usize = 4;
/// How long the next one waits for its room.
const ROOM_TIME: Duration = Duration::from_secs(10);

/// Room for one file; the next has it when this goes.
#[derive(Debug)]
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Room {
    async fn of(files: &Arc<Semaphore>) -> Result<Room, Fault> {
        let permit = tokio::time::timeout(ROOM_TIME, Arc::clone(files).acquire_owned()).await.map_err(|_| {
            let message =
                format!("{FILES_AT_ONCE} files of sessions are on their way already: try again in a few seconds");
            Fault::new(ErrorCode::SessionLimit, message)
        })?;
        Ok(Room { _permit: permit.map_err(Fault::internal)? })
    }
}

/// A file that is on its way to a client.
#[derive(Debug)]
pub struct Leaving {
    /// All of it, in order.
    pub pieces: Vec<Bytes>,
    /// Until the client has it.
    pub room: Room,
}

/// A file whose signature was found to fit.
#[derive(Debug)]
pub struct Arrived {
    file: SessionFile,
    room: Room,
}

impl Arrived {
    /// The template that its session was made from.
    pub fn template(&self) -> model::TemplateId {
        self.file.about.template
    }

    /// Its session had a worktree.
    pub fn had_worktree(&self) -> bool {
        self.file.about.worktree
    }
}

impl Registry {
    /// Whether sessions are exported and imported at all.
    pub fn may_share(&self) -> Result<(), Fault> {
        self.shared.nursery.share_key().map(drop)
    }

    /// Room for a file, to be had before it is read off the wire.
    pub async fn room_to_import(&self) -> Result<Room, Fault> {
        self.may_share()?;
        Room::of(&self.shared.nursery.arriving).await
    }

    /// A session as a signed file: its heap as it is, or as it was at a checkpoint.
    pub async fn export(
        &self,
        tenant: TenantId,
        id: SessionId,
        checkpoint: Option<CheckpointId>,
    ) -> Result<Leaving, Fault> {
        self.may_share()?;
        // What it has done so far is in the file.
        if checkpoint.is_none() && self.get(tenant, id).is_some() {
            self.with(tenant, id, |session| async move { session.checkpoint().await }).await?;
        }
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.export(tenant, id, checkpoint).await });
        let leaving = task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)));
        leaving.map_err(|fault| fault.with("session_id", id))
    }

    /// A file, if one of this operator's servers wrote it.
    pub async fn arrived(&self, bytes: Vec<u8>, room: Room) -> Result<Arrived, Fault> {
        let nursery = &self.shared.nursery;
        let key = nursery.share_key()?.clone();
        let read = blocking(move || snapfile::read(&key, bytes)).await?;
        Ok(Arrived { file: read.map_err(|why| refused(&why))?, room })
    }

    /// Makes a session that goes on with the heap of a file, under a template that allows what it is made of. It is brought into
    /// memory when it is used.
    pub async fn import(
        &self,
        tenant: TenantId,
        arrived: Arrived,
        template: Arc<WholeTemplate>,
        worktree_path: String,
    ) -> Result<Row, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.import(tenant, arrived, &template, worktree_path).await });
        task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
    }
}

fn refused(why: &dyn std::fmt::Display) -> Fault {
    let message = format!("The file is not taken as a session that this operator exported: {why}");
    Fault::new(ErrorCode::SnapshotRefused, message)
}

impl Nursery {
    fn share_key(&self) -> Result<&ShareKey, Fault> {
        self.share_key.as_ref().ok_or_else(|| {
            let message = "This server neither exports nor imports sessions: it was started without --share-key FILE";
            Fault::new(ErrorCode::ExportDisabled, message)
        })
    }
}

impl Shared {
    async fn export(
        &self,
        tenant: TenantId,
        id: SessionId,
        checkpoint: Option<CheckpointId>,
    ) -> Result<Leaving, Fault> {
        let nursery = &self.nursery;
        let key = nursery.share_key()?.clone();
        let room = Room::of(&nursery.leaving).await?;
        let row = nursery.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?;
        let source = self.source(tenant, id, checkpoint).await?;
        let made = Made::read(&source.recipe)?;
        let image = nursery.image(&made).await?;
        let (seq, chain) = match source.chain {
            Some(chain) if checkpoint.is_some() => (chain.seq, Some(chain)),
            chain => (row.seq, chain),
        };
        let links: Vec<_> = chain
            .map_or_else(Vec::new, |chain| chain.links.into_iter().map(|(id, bytes)| (*id.as_uuid(), bytes)).collect());
        let portable = {
            let (engine, image) = (nursery.engine.clone(), Arc::clone(&image));
            blocking(move || engine.portable(&image)).await?
        };
        let portable = portable.map_err(|error| nursery.start_fault(&error))?.ok_or_else(|| {
            let message = "The session can't be exported: what its image is compiled from is gone";
            Fault::new(ErrorCode::ImageGone, message).with("image", &made.image)
        })?;
        let heap = nursery.engine.call(move || image.carry_out(&links)).await;
        let heap = heap.ok_or_else(|| Fault::internal("a heap could not be exported: a panic"))?;
        let heap = heap.map_err(|error| nursery.restore_fault(&error))?;
        let about = About::of(made, &row, seq).with_image(portable.header).map_err(Fault::internal)?;
        let file = blocking(move || snapfile::write(&key, &about, portable.component, heap)).await?;
        let pieces = file.map_err(Fault::internal)?;
        let pieces = pieces.ok_or_else(|| Fault::internal("a session is made of too much to be exported"))?;
        Ok(Leaving { pieces, room })
    }

    async fn import(
        &self,
        tenant: TenantId,
        arrived: Arrived,
        template: &WholeTemplate,
        worktree_path: String,
    ) -> Result<Row, Fault> {
        let nursery = &self.nursery;
        let Arrived { file: SessionFile { about, portable, heap }, room } = arrived;
        let mut made = about.made;
        if made.settings.check(&Limits::MAX).is_err() || made.settings.runtime.durability.is_none() {
            return Err(refused(&"it says what no session is made of"));
        }
        let limits = &mut made.settings.limits;
        *limits = limits.at_most(&nursery.ceiling);
        let not_allowed = |what: String| {
            let message = format!(
                "The template does not allow what the session is made of: {what}. Import it with a template that does \
                 (--template)"
            );
            Fault::new(ErrorCode::ImportNotAllowed, message).with("template_id", template.template.id)
        };
        exceeds(&made, template, &nursery.ceiling).map_or(Ok(()), |what| Err(not_allowed(what)))?;
        let (worktrees, path) = (nursery.worktrees.clone(), worktree_path.clone());
        blocking(move || if path.is_empty() { Ok(()) } else { worktrees.open(&path).map(drop) }).await??;

        let image = nursery.image_for(&made, portable).await?;
        image.hash().clone_into(&mut made.image);
        let (id, mem_mb) = (SessionId::from(Uuid::now_v7()), made.settings.limits.mem_mb);
        // It stays in memory, and so on the disk, until there is a session that needs it.
        let _needed = Arc::clone(&image);
        let taken = nursery.engine.call(move || image.carry_in(Uuid::now_v7(), &heap, mem_mb)).await;
        let taken = taken.ok_or_else(|| Fault::internal("a heap could not be imported: a panic"))?;
        let taken = taken.map_err(|error| match error {
            RestoreError::Damaged(why) => refused(&why),
            error @ (RestoreError::OtherImage | RestoreError::TooLarge { .. }) => nursery.restore_fault(&error),
            RestoreError::Start(error) => nursery.start_fault(&error),
        })?;
        let runtime = &made.settings.runtime;
        let checkpoint = keep::row(taken, CheckpointKind::Import, runtime.background);
        let new = NewSession {
            id,
            template: template.template.id,
            workspace_id: about.workspace_id,
            base_commit_oid: about.base_commit_oid,
            worktree_path,
            created_at: clock::now(),
            durability: runtime.durability,
            recipe: Some(made.recipe()?),
        };
        let row = nursery.store.session_imported(tenant, new, about.seq, checkpoint).await?;
        drop(room);
        nursery.timers_changed.notify_one();
        Ok(row)
    }
}

impl Nursery {
    /// The image that a file's session goes on with: the one that is here or that can be made here of the same, else the file's.
    async fn image_for(&self, made: &Made, portable: sandbox::Portable) -> Result<Arc<Image>, Fault> {
        match self.image(made).await {
            Err(fault) if fault.code == ErrorCode::ImageGone => {}
            found => return found,
        }
        let _turn = self.builds.turn().await?;
        let (engine, modules) = (self.engine.clone(), made.modules.clone());
        let image = blocking(move || engine.foreign_image(&portable, &modules)).await?;
        image.map_err(|error| match error {
            ForeignError::Unusable(why) => refused(&format!("this version can't run its image: {why}")),
            ForeignError::Other(error) => self.start_fault(&error),
        })
    }
}

/// What a session is made of beyond what a template allows, if anything. A grant is compared as a whole: which of two of one
/// module allows more is the module's affair.
fn exceeds(made: &Made, whole: &WholeTemplate, ceiling: &Limits) -> Option<String> {
    let WholeTemplate { template, settings, grants, .. } = whole;
    if let Some(module) = made.modules.iter().find(|module| !template.exposed_modules.contains(module)) {
        return Some(format!("the module {module} is not listed"));
    }
    let granted = |grants: &[Grant], module: &model::ModuleName| {
        let grant = grants.iter().find(|grant| grant.name == *module);
        serde_json::from_str::<Value>(grant.map_or("{}", |grant| grant.config.get())).ok()
    };
    let names = made.modules.iter().chain(made.grants.iter().map(|grant| &grant.name));
    let mut names = names.filter(|module| granted(&made.grants, module) != granted(grants, module));
    if let Some(module) = names.next() {
        return Some(format!("the grant of {module} is another one"));
    }
    let (has, may) = (made.settings.limits, settings.limits.at_most(ceiling));
    for (name, has, may) in [
        ("cpu_ms", has.cpu_ms, may.cpu_ms),
        ("wall_ms", has.wall_ms, may.wall_ms),
        ("mem_mb", has.mem_mb, may.mem_mb),
        ("max_events", has.max_events, may.max_events),
        ("max_output_kb", has.max_output_kb, may.max_output_kb),
    ] {
        if has > may {
            return Some(format!("limits.{name} is {has}, and may be {may}"));
        }
    }
    let (has, may) = (&made.settings.runtime, &settings.runtime);
    let (imports, beneath) = (&made.settings.resolver, &settings.resolver);
    for (name, is_more) in [
        ("runtime.esm", has.esm && !may.esm),
        ("runtime.console", has.console && !may.console),
        ("runtime.background", has.background && !may.background),
        ("runtime.durability", !has.durability.is_none() && may.durability.is_none()),
        ("resolver.roots", !imports.roots.iter().all(|root| beneath.roots.contains(root))),
        ("resolver.extensions", !imports.extensions.iter().all(|one| beneath.extensions.contains(one))),
        (
            "resolver.allow_absolute_repo_imports",
            imports.allow_absolute_repo_imports && !beneath.allow_absolute_repo_imports,
        ),
    ] {
        if is_more {
            return Some(format!("{name} is more than the template's"));
        }
    }
    None
}
